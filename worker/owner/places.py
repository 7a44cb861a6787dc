"""How many streams a worker owns at most: what is set, or fewer where a disk is full."""

from __future__ import annotations

SECONDS_BETWEEN_TRIALS = 1.0


class Places:
    """When there was no room to park a stream, the worker owns no more than it has. Then it tries
    with more: one after a second, two after the next, four, and so on, until it finds no room
    again. So a disk that has room again holds nobody up for long.

    Pure: it is told the time.
    """

    def __init__(self, most: int, now: float):
        self._set = most
        self._most = most
        self._num_more = 1
        self._tried_at = now

    def are_short(self, num_owned: int, now: float) -> None:
        """There was no room for one more than `num_owned`."""
        self._most = max(1, num_owned)
        self._num_more, self._tried_at = 1, now

    def has_one(self, num_owned: int, now: float) -> bool:
        """Somebody asks for a place: whether there is one."""
        if self._most < self._set and now - self._tried_at >= SECONDS_BETWEEN_TRIALS:
            self._tried_at = now
            self._most = min(self._most + self._num_more, self._set)
            self._num_more *= 2
        return num_owned < self._most
