"""Whether the server's clock was moved. Times to live are measured with it, by the server alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from redis import Redis


class ServerClock:
    """Compares how far the server's clock has gone with our own, which nobody can move."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        # Between these two is how far it is ahead of ours: when it was read, only it knows.
        self._least, self._most = float("-inf"), float("inf")

    def moved_seconds(self) -> float:
        """By how much, at least, it was moved since the last call: forward, or back (below 0)."""
        before = self._clock()
        seconds, microseconds = self._redis.time()
        now = seconds + microseconds / 1e6
        least, most = now - self._clock(), now - before
        forward, back = max(0.0, least - self._most), max(0.0, self._least - most)
        self._least, self._most = least, most
        return forward - back
