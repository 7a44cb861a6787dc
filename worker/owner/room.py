"""Whose place another stream may have where all are taken."""

from __future__ import annotations

from collections.abc import Iterable

from worker.stream.live_stream import LiveStream

SILENT_SECONDS = 3.0  # a stream that has been silent this long may lose its place to another
SECONDS_WITHOUT_ROOM = 1.0  # before it is looked again who could go


class Room:
    """The place of the one that has been silent for longest, if that is long enough."""

    def __init__(self) -> None:
        self._full_until = float("-inf")

    def whose(self, streams: Iterable[LiveStream], now: float) -> LiveStream | None:
        """The next that may go: at once if it owes nothing, else when it was hurried."""
        if now < self._full_until:
            return None
        silent = [s for s in streams if now - s.active_at >= SILENT_SECONDS and s.is_silent]
        for stream in sorted(silent, key=lambda stream: stream.active_at):
            if stream.is_quiet or not stream.is_hurried:
                return stream
        self._full_until = now + SECONDS_WITHOUT_ROOM
        return None
