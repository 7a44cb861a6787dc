"""Words to come: `weir:{K}:live`, one small hash for each stream, replaced with each hypothesis.

It is for showing, not for keeping: no commit depends on it, its fields are all written each time,
and it goes by itself when nothing comes. An owner whose time is over may write it once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis

from worker.keyspace.keys import stream_keys

LIVE_SECONDS = 30.0


class Live:
    """Writes the words to come of many streams in one round trip."""

    def __init__(self, redis: Redis, *, wall_clock: Callable[[], float] = time.time):
        self._redis = redis
        self._wall_clock = wall_clock

    def show(self, pending: Mapping[str, Mapping[str, str]]) -> None:
        """By stream. Raises redis' errors."""
        if not pending:
            return
        at = f"{self._wall_clock():.3f}"
        with self._redis.pipeline(transaction=False) as pipe:
            for stream, fields in pending.items():
                key = stream_keys(stream).live
                mapping: dict[Any, Any] = {**fields, "at": at}
                pipe.hset(key, mapping=mapping)
                pipe.pexpire(key, int(LIVE_SECONDS * 1000))
            pipe.execute()


def pending_of(redis: Redis, stream: str) -> dict[str, str]:
    """What is shown of the stream now; {} if nothing is."""
    fields = redis.hgetall(stream_keys(stream).live)
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
