"""How far the owned streams are behind their publishers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.metrics import Metrics
from worker.stream import LiveStream

SECONDS_BETWEEN = 2.0


class Lag:
    """Asks Redis about all streams that have work at once, and not more often than every two
    seconds. One that rests was read to its end a moment ago."""

    def __init__(self, redis: Redis, metrics: Metrics):
        self._redis = redis
        self._metrics = metrics
        self._asked_at = float("-inf")

    def report(self, streams: Iterable[LiveStream], now: float) -> None:
        if now - self._asked_at < SECONDS_BETWEEN:
            return
        self._asked_at = now
        streams = list(streams)
        busy = [stream for stream in streams if not stream.is_resting]
        pipe = self._redis.pipeline(transaction=False)
        for stream in busy:
            pipe.xinfo_stream(stream.name)
        infos = pipe.execute(raise_on_error=False)
        unread = [_num_unread(info, stream) for info, stream in zip(infos, busy, strict=True)]
        wall = time.time()
        self._metrics.lag(
            entries=unread, seconds=[stream.inbox.num_seconds_behind(wall) for stream in busy]
        )
        num_idle = sum(stream.is_quiet for stream in streams)
        self._metrics.streams({"live": len(streams) - num_idle, "idle": num_idle})


def _num_unread(info: Any, stream: LiveStream) -> int:
    """Entries that were added and are not settled; a stream that was deleted has none."""
    if isinstance(info, ResponseError):
        return 0
    if isinstance(info, Exception):
        raise info
    num_added: int = info["entries-added"]
    return max(0, num_added - stream.outbox.next.entries_read)
