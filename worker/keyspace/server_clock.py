"""Whether the server's clock was moved. Times to live are measured with it, by the server alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from redis import Redis

from worker.keyspace.cluster import nodes


class ServerClock:
    """Compares how far the server's clock has gone with our own, which nobody can move. Each node
    of a cluster has one."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        # Between these two is how far it is ahead of ours: when it was read, only it knows.
        self._bounds: dict[str, tuple[float, float]] = {}

    def moved_seconds(self) -> float:
        """By how much, at least, it was moved since the last call: forward, or back (below 0)."""
        return max((self._moved(*node) for node in nodes(self._redis).items()), key=abs)

    def _moved(self, name: str, node: Redis) -> float:
        before = self._clock()
        seconds, microseconds = node.time()
        now = seconds + microseconds / 1e6
        least, most = now - self._clock(), now - before
        last_least, last_most = self._bounds.get(name, (-math.inf, math.inf))
        self._bounds[name] = least, most
        return max(0.0, least - last_most) - max(0.0, last_least - most)
