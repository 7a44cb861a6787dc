"""Streams that failed here, and until when they are left alone."""

from __future__ import annotations

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0


class Setbacks:
    """A stream that fails again and again is tried less and less often: first after ten seconds,
    then after twice as long as the last time. One that went well for twice its pause begins anew.

    Pure: it is told the time.
    """

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, float]] = {}  # (since when, for how long)

    def note(self, name: str, now: float) -> float:
        """Returns for how long it is left alone."""
        self._pauses = {n: (at, s) for n, (at, s) in self._pauses.items() if now - at < 3 * s}
        _, seconds = self._pauses.get(name, (now, FIRST_SECONDS / 2))
        pause = min(2 * seconds, LONGEST_SECONDS)
        self._pauses[name] = (now, pause)
        return pause

    def is_waiting(self, name: str, now: float) -> bool:
        at, seconds = self._pauses.get(name, (now, 0.0))
        return now - at < seconds
