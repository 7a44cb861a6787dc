"""Streams that go to other workers and come from them, as one who is no part of the engine's thread
may ask for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from worker.owner.handover import OnGiven
from worker.owner.ownership import Ownership
from worker.stream.live_stream import LiveStream

BUSY_SECONDS = 30.0  # a stream that was read or fed within this time counts as load


class Moving:
    """`busy`: when it was counted, and the names of the streams that are load; first those that
    can go at once. Any thread may call; what is asked for is done on the engine's, soon."""

    def __init__(
        self,
        owned: Ownership,
        order: Callable[[Callable[[], None]], None],
        clock: Callable[[], float],
        *,
        owner: str,
    ):
        self.owner = owner
        self.busy: tuple[float, Sequence[str]] = (clock(), ())
        self._owned = owned
        self._order = order
        self._clock = clock

    def take(self, stream: str) -> None:
        """Own the stream that another worker gives to this one."""
        self._order(partial(self._owned.take, stream))

    def hand(self, stream: str, receiver: str) -> None:
        """Give the stream to another worker, as soon as it can be saved."""
        self._order(partial(self._owned.hand, stream, receiver))

    def count(self) -> None:
        """Bring `busy` up to date."""
        self._order(self._count)

    def when_given(self, tell: OnGiven) -> None:
        """`tell` hears, on the engine's thread, of each stream that was let go, and whom for."""
        self._owned.handover.on_given = tell

    @property
    def is_draining(self) -> bool:
        """Whether it takes no stream up."""
        return self._owned.handover.is_draining

    @is_draining.setter
    def is_draining(self, is_draining: bool) -> None:
        self._owned.handover.is_draining = is_draining

    def _count(self) -> None:
        now = self._clock()
        within = math.inf if self.is_draining else BUSY_SECONDS
        self.busy = now, busy(self._owned.streams.values(), now, within_seconds=within)


def busy(streams: Iterable[LiveStream], now: float, *, within_seconds: float) -> tuple[str, ...]:
    """The names of those that had something to do lately and may go to another worker; first those
    that can go at once."""
    found = [s for s in streams if now - s.active_at <= within_seconds and s.can_move]
    found.sort(key=lambda stream: (not stream.moves_at_no_cost, stream.name))
    return tuple(stream.name for stream in found)
