"""The last thing that a benchmark prints: one JSON object on one line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.bench.aims import Aim
from engine.bench.machine import Machine


def print_summary(
    benchmark: str,
    machine: Machine,
    started: float,
    results: Mapping[str, Any],
    aims: Mapping[str, Mapping[str, Aim]],
    json_path: Path | None,
    **more: Any,
) -> None:
    """`started` by time.perf_counter."""
    seconds = time.perf_counter() - started
    line = summary_line(benchmark, machine, seconds, results, aims, **more)
    if json_path is not None:
        json_path.write_text(line + "\n")
    print(line, flush=True)


def summary_line(
    benchmark: str,
    machine: Machine,
    seconds: float,
    results: Mapping[str, Any],
    aims: Mapping[str, Mapping[str, Aim]],
    **more: Any,
) -> str:
    """Dataclasses become objects, wherever they are."""
    return json.dumps(
        {
            "benchmark": benchmark,
            "machine": asdict(machine) | {"load_average_after": os.getloadavg()},
            **more,
            "seconds": seconds,
            "results": results,
            "aims": aims,
        },
        default=asdict,
    )
