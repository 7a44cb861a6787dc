"""What `weir eval lines` prints: accuracy by distance, and a JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from engine.evals.report import console_of_reports
from engine.evals.retrieval import Answers, AtDistance, Inquiry

LEGEND = """\
exact: greedy decoding gives the content of the line. prefers: the right content is more probable
than that of the line beside it (50 % by chance). dense: the model's own attention over the last
lines that fit into its trained length, which is what the model can do. Outside its window a stream
has nothing to answer from: zero is what the method gives."""


def print_distances(results: Sequence[AtDistance], inquiry: Inquiry) -> None:
    """The JSON object is the last line of standard output."""
    console = console_of_reports()
    console.print(_table(results, inquiry))
    console.print(LEGEND)
    print(json.dumps(_as_json(results, inquiry)))


def _table(results: Sequence[AtDistance], inquiry: Inquiry) -> Table:
    config = inquiry.config
    title = f"{config.num_sinks} sinks + {config.num_recent} recent, {config.dtype}"
    table = Table(title=title)
    headings = ("lines back", "tokens back", "in the window", "questions")
    for heading in (*headings, "exact", "prefers", "dense: exact", "dense: prefers"):
        table.add_column(heading, justify="right")
    for at in results:
        table.add_row(
            str(at.distance),
            f"{sum(at.tokens_back) / len(at.tokens_back):,.0f}",
            _whereabouts(at),
            str(at.stream.num_asked),
            *_shares(at.stream),
            *_shares(at.dense),
        )
    return table


def _whereabouts(at: AtDistance) -> str:
    num_asked = at.stream.num_asked
    if at.num_whole == num_asked:
        return "yes"
    return "no" if at.num_gone == num_asked else "at its edge"


def _shares(answers: Answers) -> tuple[str, str]:
    if not answers.num_asked:
        return "does not fit", ""
    return (
        f"{answers.num_exact / answers.num_asked:.0%}",
        f"{answers.num_preferred / answers.num_asked:.0%}",
    )


def _as_json(results: Sequence[AtDistance], inquiry: Inquiry) -> dict[str, Any]:
    return {
        "measure": "lines",
        "model": inquiry.config.model,
        "num_sinks": inquiry.config.num_sinks,
        "num_recent": inquiry.config.num_recent,
        "every": inquiry.every,
        "seed": inquiry.seed,
        "distances": [
            {
                "lines": at.distance,
                "tokens": round(sum(at.tokens_back) / len(at.tokens_back), 1),
                "in_the_window": _whereabouts(at),
                "stream": vars(at.stream),
                "dense": vars(at.dense),
            }
            for at in results
        ],
    }
