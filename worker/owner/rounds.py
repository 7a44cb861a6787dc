"""Which of the owned streams a round looks at, so that thousands that rest cost next to nothing.

Invariant: a stream that has work is looked at in every round, a few at a time of those that can do
nothing but wait for a place to write. One that rests is looked at once in LOOK_SECONDS, for what is
due by the clock, and read at least once in READ_SECONDS.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.owner.rotation import Rotation
from worker.stream.live_stream import LiveStream

LOOK_SECONDS = 2.0
READ_SECONDS = 0.2
FEW_TO_LOOK_AT = 16
FEW_TO_READ = 64


class Rounds:
    """`streams` is whose attention it is; it is read here, and changed by whoever owns them."""

    def __init__(self, streams: Mapping[str, LiveStream], now: float):
        self._streams = streams
        self._awake: dict[str, None] = {}  # whoever had nothing to do in the last round is not here
        self._looks = Rotation(LOOK_SECONDS, at_least=FEW_TO_LOOK_AT, now=now)
        self._reads = Rotation(READ_SECONDS, at_least=FEW_TO_READ, now=now)

    def add(self, name: str) -> None:
        self._looks.add(name)
        self._reads.add(name)
        self.wake(name)

    def remove(self, name: str) -> None:
        self._looks.remove(name)
        self._reads.remove(name)
        self._awake.pop(name, None)

    def wake(self, name: str) -> None:
        """Look at the stream in the next round, and for as long as it has work."""
        self._awake[name] = None

    @property
    def all_are_silent(self) -> bool:
        return all(self._streams[name].is_silent for name in self._awake)

    def to_read(self, now: float) -> list[LiveStream]:
        """Those that have work, and some of the others."""
        names = self._awake | dict.fromkeys(self._reads.turns(now))
        return [self._streams[name] for name in names]

    def to_look_at(self, now: float) -> list[LiveStream]:
        """The streams of one round; those that have waited longest for a place to write first."""
        self._awake |= dict.fromkeys(self._looks.turns(now))
        queue = [name for name in self._awake if self._streams[name].is_queueing]
        first = queue[:FEW_TO_LOOK_AT]
        for name in first:  # next time it is the turn of those behind them
            self._awake[name] = self._awake.pop(name)
        waiting = set(queue)
        others = [name for name in self._awake if name not in waiting]
        return [self._streams[name] for name in (*first, *others)]

    def let_rest(self) -> None:
        """At the end of a round: who has nothing to do is not looked at until it is woken, or
        until its turn."""
        self._awake = {n: None for n in self._awake if not self._streams[n].is_resting}
