"""What `weir eval perplexity` prints: a table of the policies, one of the texts, a JSON object."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.config import EngineConfig
from engine.evals.reading import Bucket, Reading
from engine.evals.texts import Texts

WIDTH_OF_FILES = 110
NUM_TENTHS = 10


def print_comparison(readings: Sequence[Reading], config: EngineConfig, texts: Texts) -> None:
    """The JSON object is the last line of standard output."""
    console = console_of_reports()
    console.print(_policies_table(readings, config))
    if len(texts.paths) > 1:
        console.print(_texts_table(readings, texts))
    print(json.dumps(_as_json(readings, config, texts)))


def console_of_reports() -> Console:
    """As wide as the terminal; in a file wide enough for a table."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES, highlight=False)


def _policies_table(readings: Sequence[Reading], config: EngineConfig) -> Table:
    table = Table(title=f"{config.num_sinks} sinks + {config.num_recent} recent, {config.dtype}")
    table.add_column("policy")
    for heading in ("tokens", "perplexity", "tokens/s", "KV, MB", "process, MB"):
        table.add_column(heading, justify="right")
    table.add_column("ended by")
    for reading in readings:
        table.add_row(
            reading.policy,
            f"{reading.num_tokens:,}",
            f"{reading.total.perplexity:,.2f}",
            f"{reading.tokens_per_second:,.0f}",
            _from_to([bucket.kv_bytes for bucket in reading.buckets]),
            _from_to([bucket.resident_bytes for bucket in reading.buckets]),
            reading.ended,
        )
    return table


def _from_to(amounts: Sequence[int]) -> str:
    """Megabytes at the first and at the last bucket; one figure if they look the same."""
    ends = [f"{amount / 1e6:,.2f}" for amount in (amounts[0], amounts[-1])]
    return " to ".join(dict.fromkeys(ends))


def _texts_table(readings: Sequence[Reading], texts: Texts) -> Table:
    table = Table(title="perplexity by file")
    table.add_column("file")
    for reading in readings:
        table.add_column(reading.policy, justify="right")
    for path in texts.paths:
        means = [reading.by_path.get(path) for reading in readings]
        if any(means):
            cells = (f"{mean.perplexity:,.2f} of {mean.count:,}" if mean else "" for mean in means)
            table.add_row(path.name, *cells)
    return table


def _as_json(readings: Sequence[Reading], config: EngineConfig, texts: Texts) -> dict[str, Any]:
    return {
        "measure": "perplexity",
        "model": config.model,
        "dtype": config.dtype,
        "num_sinks": config.num_sinks,
        "num_recent": config.num_recent,
        "files": [path.name for path in texts.paths],
        "repeated": texts.repeat,
        "policies": {reading.policy: _figures(reading) for reading in readings},
    }


def _figures(reading: Reading) -> dict[str, Any]:
    return {
        "num_tokens": reading.num_tokens,
        "perplexity": round(reading.total.perplexity, 4),
        "ended_by": reading.ended,
        "tokens_per_second": round(reading.tokens_per_second),
        "perplexity_by_tenth": [round(figure, 2) for figure in _by_tenth(reading.buckets)],
        "perplexity_by_file": {
            path.name: round(mean.perplexity, 4) for path, mean in reading.by_path.items()
        },
        "kv_bytes": _range([bucket.kv_bytes for bucket in reading.buckets]),
        "resident_bytes": _range([bucket.resident_bytes for bucket in reading.buckets]),
    }


def _by_tenth(buckets: Sequence[Bucket]) -> Iterator[float]:
    """Perplexity of each tenth of what was read; a bucket counts where it ends."""
    num_tokens = buckets[-1].num_tokens
    tenths: list[list[Bucket]] = [[] for _ in range(NUM_TENTHS)]
    for bucket in buckets:
        tenths[min(NUM_TENTHS - 1, bucket.num_tokens * NUM_TENTHS // num_tokens)].append(bucket)
    for tenth in filter(None, tenths):
        nats = sum(bucket.loss * bucket.count for bucket in tenth)
        yield math.exp(nats / sum(bucket.count for bucket in tenth))


def _range(amounts: Sequence[int]) -> dict[str, int]:
    return {"first": amounts[0], "last": amounts[-1], "most": max(amounts)}
