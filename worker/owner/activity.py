"""Which of the owned streams are load, and could be another worker's."""

from __future__ import annotations

from collections.abc import Iterable

from worker.stream.live_stream import LiveStream

BUSY_SECONDS = 30.0  # a stream that was read or fed within this time counts as load


def busy(
    streams: Iterable[LiveStream], now: float, *, within_seconds: float = BUSY_SECONDS
) -> tuple[str, ...]:
    """The names of those that had something to do lately and may go to another worker; first those
    that can go at once."""
    found = [s for s in streams if now - s.active_at <= within_seconds and s.can_move]
    found.sort(key=lambda stream: (not stream.moves_at_no_cost, stream.name))
    return tuple(stream.name for stream in found)
