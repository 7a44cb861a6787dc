"""The campaign's table, and its last line."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.chaos.arena import Outcome

_HEAD = (
    "scenario",
    "runs",
    "kills",
    "at moments",
    "entries",
    "lines",
    "summaries",
    "lost",
    "twice",
)
_TAIL = ("altered", "tiles", "other", "take-over s (median, p99, n)", "seconds")


@dataclass(frozen=True)
class Row:
    scenario: str
    outcomes: tuple[Outcome, ...]
    seconds: float

    def cells(self) -> list[str]:
        kinds = Counter(v.kind for outcome in self.outcomes for v in outcome.violations)
        shown = ("lost", "twice", "altered", "tiles")
        sums = [
            sum(getattr(outcome, name) for outcome in self.outcomes)
            for name in ("num_kills", "num_moments", "num_entries", "num_lines", "num_summaries")
        ]
        num_others = kinds.total() - sum(kinds[kind] for kind in shown)
        counts = [*sums, *(kinds[kind] for kind in shown), num_others]
        return [
            self.scenario,
            str(len(self.outcomes)),
            *map(str, counts),
            takeover_cell(self.takeover_seconds),
            f"{self.seconds:.0f}",
        ]

    def with_run(self, outcome: Outcome, seconds: float) -> Row:
        return replace(self, outcomes=(*self.outcomes, outcome), seconds=self.seconds + seconds)

    @property
    def num_kills(self) -> int:
        return sum(outcome.num_kills for outcome in self.outcomes)

    @property
    def takeover_seconds(self) -> list[float]:
        return [seconds for outcome in self.outcomes for seconds in outcome.takeover_seconds]

    @property
    def num_violations(self) -> int:
        return sum(len(outcome.violations) for outcome in self.outcomes)


def takeover_cell(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    return f"{statistics.median(seconds):.2f} {percentile(seconds, 0.99):.2f} ({len(seconds)})"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def markdown(rows: Sequence[Row]) -> str:
    total = Row("all", tuple(o for row in rows for o in row.outcomes), sum(r.seconds for r in rows))
    head = [*_HEAD, *_TAIL]
    lines = [head, ["---"] * len(head), *(row.cells() for row in (*rows, total))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def json_line(rows: Sequence[Row], **more: object) -> str:
    takeovers = [seconds for row in rows for seconds in row.takeover_seconds]
    outcomes = [outcome for row in rows for outcome in row.outcomes]
    return json.dumps(
        {
            "num_runs": len(outcomes),
            "num_kills": sum(row.num_kills for row in rows),
            "num_entries": sum(outcome.num_entries for outcome in outcomes),
            "num_violations": sum(row.num_violations for row in rows),
            "num_takeovers": len(takeovers),
            "takeover_median_seconds": round(statistics.median(takeovers), 3)
            if takeovers
            else None,
            "takeover_p99_seconds": round(percentile(takeovers, 0.99), 3) if takeovers else None,
            **more,
        }
    )
