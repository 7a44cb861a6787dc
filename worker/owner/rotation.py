"""Turns for many names, a few at a time."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice


class Rotation:
    """Every name has a turn once in `period_seconds`, and more often if that means less than
    `at_least` turns a call. What a call costs does not grow with the number of names, but with the
    time since the last call.

    Pure: it is told the time.
    """

    def __init__(self, period_seconds: float, *, at_least: int = 0, now: float):
        self._period_seconds = period_seconds
        self._at_least = at_least
        self._names: OrderedDict[str, None] = OrderedDict()
        self._called_at = now

    def add(self, name: str) -> None:
        """Its first turn is after those of all others."""
        self._names[name] = None

    def remove(self, name: str) -> None:
        del self._names[name]

    def turns(self, now: float) -> list[str]:
        """Those whose turn it is, longest ago first."""
        share = int(len(self._names) * (now - self._called_at) / self._period_seconds)
        num_turns = max(self._at_least, share)
        if num_turns == 0:
            return []
        self._called_at = now
        names = list(islice(self._names, num_turns))
        for name in names:
            self._names.move_to_end(name)
        return names
