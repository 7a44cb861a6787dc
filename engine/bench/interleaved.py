"""Participants run interleaved, so that a machine that drifts drifts for all of them.

Every round runs each participant once, forwards and then backwards (A B C, C B A, ...).
Figures are medians over rounds; a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

# The timed part of a run; it returns the number of tokens that it dealt with.
Work = Callable[[], int]
# Entering prepares a run, leaving clears up after it; neither is timed.
Run = Callable[[], AbstractContextManager[Work]]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)


@dataclass(frozen=True)
class InterleavedRuns:
    """Seconds per token of every participant, one figure per round."""

    seconds_per_token: Mapping[str, Sequence[float]]

    def tokens_per_second(self, name: str) -> float:
        return 1 / statistics.median(self.seconds_per_token[name])

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times the time of `fast` a token takes with `slow`."""
        pairs = zip(self.seconds_per_token[slow], self.seconds_per_token[fast], strict=True)
        return Spread.of([one / other for one, other in pairs])


def run_interleaved(
    runs: Mapping[str, Run],
    num_rounds: int,
    *,
    advance: Advance,
    clock: Callable[[], float] = time.perf_counter,
) -> InterleavedRuns:
    """One run each to warm up, which counts for nothing, then `num_rounds` rounds."""
    for run in runs.values():
        _seconds_per_token(run, clock)
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(num_rounds):
        order = list(runs) if round_number % 2 == 0 else list(reversed(list(runs)))
        for name in order:
            figures[name].append(_seconds_per_token(runs[name], clock))
        advance(1)
    return InterleavedRuns(figures)


def _seconds_per_token(run: Run, clock: Callable[[], float]) -> float:
    with run() as work:
        started = clock()
        num_tokens = work()
        return (clock() - started) / num_tokens
