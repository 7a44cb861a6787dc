"""What `weir eval formats` prints: one table, and a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from rich.table import Table

from engine.bench.machine import this_machine
from engine.evals.number_formats import Comparison, Figures, Trial
from engine.evals.report import console_of_reports

STREAMS = 16
HEADINGS = (
    "weights MB",
    "stream KB",
    f"{STREAMS} streams MB",
    "fed/s",
    "decoded/s",
    "perplexity",
    "change",
)


def print_formats(comparison: Comparison, trial: Trial) -> None:
    """The JSON object is the last line of standard output."""
    results = comparison.figures
    machine = this_machine(torch.get_num_threads())
    console = console_of_reports()
    console.print(_table(results, trial))
    for reason in dict.fromkeys(comparison.left_out.values()):
        names = "; ".join(name for name, why in comparison.left_out.items() if why == reason)
        console.print(f"Without {names}: {reason}", markup=False, soft_wrap=True)
    console.print(
        f"{machine.cpu}, {machine.num_threads} threads, torch {machine.torch}. Load average "
        f"{machine.load_average_before[0]:.2f}."
    )
    summary: dict[str, Any] = {
        "measure": "formats",
        "model": trial.model,
        "device": trial.device,
        "num_sinks": trial.num_sinks,
        "num_recent": trial.num_recent,
        "files": [path.name for path in trial.texts.paths],
        "machine": asdict(machine),
        "formats": {name: _as_json(figures, results) for name, figures in results.items()},
        "left_out": dict(comparison.left_out),
    }
    print(json.dumps(summary))


def change(figures: Figures, results: Mapping[str, Figures]) -> float:
    """Of perplexity, against the first format: 0.01 is one per cent more."""
    return figures.perplexity / next(iter(results.values())).perplexity - 1


def _table(results: Mapping[str, Figures], trial: Trial) -> Table:
    num_tokens = next(iter(results.values())).num_tokens
    window = f"{trial.num_sinks} sinks + {trial.num_recent} recent"
    table = Table(
        title=f"{trial.model}, {window}, perplexity of {num_tokens:,} tokens",
        caption="tokens a second: in chunks of 256, and of one stream that decodes. What is not "
        f"named is float32. {STREAMS} streams: their rows, and the weights once.",
    )
    table.add_column("format", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for name, figures in results.items():
        table.add_row(
            name,
            f"{figures.weight_bytes / 1e6:,.1f}",
            f"{figures.bytes_per_row / 1e3:,.0f}",
            f"{figures.bytes_of(STREAMS) / 1e6:,.1f}",
            f"{figures.fed_per_second:,.0f}",
            f"{figures.decoded_per_second:,.0f}",
            f"{figures.perplexity:,.3f}",
            f"{change(figures, results):+.2%}",
        )
    return table


def _as_json(figures: Figures, results: Mapping[str, Figures]) -> dict[str, Any]:
    return {
        **asdict(figures),
        "bytes_of_16_streams": figures.bytes_of(STREAMS),
        "perplexity": round(figures.perplexity, 4),
        "change_of_perplexity": round(change(figures, results), 5),
    }
