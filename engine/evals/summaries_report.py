"""What `weir eval summary` prints: a table of the ways to summarise, and a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import Any

from rich.table import Table

from engine.evals.report import console_of_reports
from engine.evals.rouge import rouge, words
from engine.evals.unfolding import (
    State,
    area,
    coverage,
    erasure,
    grounded,
    latency,
    redundancy,
)


@dataclass(frozen=True)
class Figures:
    """Of one summary: shares in percent, lengths and latency in words. None: there is none."""

    words: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    rolling_rouge_1: float | None = None
    latency_words: float | None = None
    erasure: float | None = None
    redundancy: float | None = None
    coverage: float | None = None
    numbers_and_names: float | None = None
    valid_citations: float | None = None


def figures(
    states: Sequence[State],
    said: Sequence[str],
    references: Sequence[str],
    *,
    citations: tuple[int, int] | None = None,
) -> Figures:
    """said: the talk's words. citations: how many are valid, of how many. Means of references."""
    text = states[-1].text if states else ""
    scores = [rouge(text, reference) for reference in references]
    is_rolling = len(states) > 1
    areas = [area(states, reference, len(said)) for reference in references]
    return Figures(
        words=len(words(text)),
        rouge_1=100 * fmean(score.one for score in scores),
        rouge_2=100 * fmean(score.two for score in scores),
        rouge_l=100 * fmean(score.longest for score in scores),
        rolling_rouge_1=100 * fmean(areas) if is_rolling else None,
        latency_words=latency(states, said) if is_rolling else None,
        erasure=100 * erasure(states) if is_rolling else None,
        redundancy=100 * redundancy(text),
        coverage=100 * coverage(text, said),
        numbers_and_names=_percent(grounded(text, said)),
        valid_citations=_percent(citations) if citations else None,
    )


def mean(found: Sequence[Figures]) -> Figures:
    """Of those that have the figure."""
    means: dict[str, Any] = {}
    for field in fields(Figures):
        values = [value for one in found if (value := getattr(one, field.name)) is not None]
        means[field.name] = fmean(values) if values else None
    return Figures(**means)


def print_summaries(rows: Mapping[str, Figures], about: Mapping[str, Any]) -> None:
    """The JSON object is the last line of standard output."""
    table = Table()
    table.add_column("summary")
    for field in fields(Figures):
        table.add_column(field.name.replace("_", " "), justify="right")
    for name, found in rows.items():
        cells = asdict(found).values()
        table.add_row(name, *("" if value is None else f"{value:.1f}" for value in cells))
    console_of_reports().print(table)
    rounded = {
        name: {k: v if v is None else round(v, 2) for k, v in asdict(found).items()}
        for name, found in rows.items()
    }
    print(json.dumps({"measure": "summary", **about, "summaries": rounded}))


def _percent(share: tuple[int, int]) -> float | None:
    num, of = share
    return 100 * num / of if of else None
