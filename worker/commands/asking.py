"""What the commands that ask something of a stream have in common."""

from __future__ import annotations

from redis import Redis

from worker.keys import is_own_key, stream_keys
from worker.options import UsageError


def known_stream(redis: Redis, key: str) -> None:
    """Raises UsageError if there is no such stream: the request would wait for ever."""
    if is_own_key(key):
        raise UsageError(f"{key} is one of Weir's own keys; name the input stream, as live:standup")
    if not redis.exists(key, stream_keys(key).state):
        raise UsageError(f"there is no stream {key}; `weir streams` shows those that there are")
