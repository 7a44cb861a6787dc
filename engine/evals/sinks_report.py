"""What `weir eval sinks` prints: perplexity by number of sinks, and a JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from engine.evals.report import console_of_reports
from engine.evals.sinks import Choice, Sinks


def print_sinks(results: Sequence[Sinks], choice: Choice) -> None:
    """The JSON object is the last line of standard output."""
    console_of_reports().print(_table(results, choice))
    print(json.dumps(_as_json(results, choice)))


def _table(results: Sequence[Sinks], choice: Choice) -> Table:
    num_tokens = results[0].total.count
    table = Table(
        title=f"perplexity of {num_tokens:,} tokens past the first {choice.num_before:,}",
        caption=f"gain: nats a token against {choice.sinks[0]} sinks, with its standard error",
    )
    table.add_column("sinks", justify="right")
    for size in choice.sizes:
        table.add_column(f"window {size:,}", justify="right")
        table.add_column("gain", justify="right")
    for num_sinks in choice.sinks:
        cells = [
            cell
            for size in choice.sizes
            for cell in _cells(_of(results, num_sinks, size), _of(results, choice.sinks[0], size))
        ]
        table.add_row(str(num_sinks), *cells)
    return table


def _of(results: Sequence[Sinks], num_sinks: int, size: int) -> Sinks:
    return next(s for s in results if (s.num_sinks, s.size) == (num_sinks, size))


def _cells(sinks: Sinks, first: Sinks) -> tuple[str, str]:
    gain, error = sinks.gain_over(first)
    return (
        f"{sinks.total.perplexity:,.3f}",
        "" if sinks is first else f"{gain:+.4f} ± {error:.4f}",
    )


def _as_json(results: Sequence[Sinks], choice: Choice) -> dict[str, Any]:
    return {
        "measure": "sinks",
        "model": choice.config.model,
        "dtype": choice.config.dtype,
        "files": [path.name for path in choice.texts.paths],
        "num_tokens": results[0].total.count,
        "past": choice.num_before,
        "windows": {
            size: {
                sinks.num_sinks: {
                    "perplexity": round(sinks.total.perplexity, 4),
                    "gain": round(sinks.gain_over(_of(results, choice.sinks[0], size))[0], 5),
                    "gain_error": round(sinks.gain_over(_of(results, choice.sinks[0], size))[1], 5),
                }
                for sinks in results
                if sinks.size == size
            }
            for size in choice.sizes
        },
    }
