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
    """`started` by time.perf_counter; dataclasses become objects, wherever they are."""
    line = json.dumps(
        {
            "benchmark": benchmark,
            "machine": asdict(machine) | {"load_average_after": os.getloadavg()},
            **more,
            "seconds": time.perf_counter() - started,
            "results": results,
            "aims": aims,
        },
        default=asdict,
    )
    if json_path is not None:
        json_path.write_text(line + "\n")
    print(line, flush=True)
