"""Streams that their owner has dropped after a failure: `weir:{K}:failing` says why, for a while.

It is for showing: no owner reads it, and it goes by itself when the stream goes well.
"""

from __future__ import annotations

import logging

from redis import Redis, RedisError

from worker.keyspace.keys import stream_keys

_log = logging.getLogger(__name__)


def note_failing(redis: Redis, stream: str, why: Exception, *, seconds: float) -> None:
    """Raises nothing: whoever fails has enough to do."""
    said = f"{type(why).__name__}: {why}"[:500]
    try:
        redis.set(stream_keys(stream).failing, said, px=max(1, int(seconds * 1000)))
    except RedisError as error:
        _log.warning("%s: that it fails cannot be noted: %s", stream, error)
