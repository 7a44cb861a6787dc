"""Parties measured in turns, so that a machine that drifts drifts for all of them.

Every round gives each party one turn, forwards and backwards by turns (A B C, C B A, ...).
Figures are medians over rounds; a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

# The timed part of a turn; it returns the number of tokens that it dealt with.
Work = Callable[[], int]
# Entering prepares a turn, leaving clears up after it; neither is timed.
Party = Callable[[], AbstractContextManager[Work]]
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
class Turns:
    """Seconds per token of every party, one figure per round."""

    seconds_per_token: Mapping[str, Sequence[float]]

    def tokens_per_second(self, party: str) -> float:
        return 1 / statistics.median(self.seconds_per_token[party])

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times the time of `fast` a token takes with `slow`."""
        pairs = zip(self.seconds_per_token[slow], self.seconds_per_token[fast], strict=True)
        return Spread.of([one / other for one, other in pairs])


def take_turns(
    parties: Mapping[str, Party],
    num_rounds: int,
    *,
    advance: Advance,
    clock: Callable[[], float] = time.perf_counter,
) -> Turns:
    """One turn each to warm up, which counts for nothing, then `num_rounds` rounds."""
    for party in parties.values():
        _seconds_per_token(party, clock)
    figures: dict[str, list[float]] = {name: [] for name in parties}
    for round_number in range(num_rounds):
        order = list(parties) if round_number % 2 == 0 else list(reversed(list(parties)))
        for name in order:
            figures[name].append(_seconds_per_token(parties[name], clock))
        advance(1)
    return Turns(figures)


def _seconds_per_token(party: Party, clock: Callable[[], float]) -> float:
    with party() as work:
        started = clock()
        num_tokens = work()
        return (clock() - started) / num_tokens
