"""Follows output streams: for people's commands, which show what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redis import Redis

_START = b"0-0"
_MAX_AT_ONCE = 1000  # entries of each key: a long transcript is not held in memory


class Follower:
    """Reads some output keys, each entry once. `redis` comes from `connect_blocking`."""

    def __init__(self, redis: Redis, keys: Sequence[str], *, from_start: bool) -> None:
        self._redis = redis
        self._cursors = {key: _START if from_start else self._last_id(key) for key in keys}

    def read(self, *, block_seconds: float) -> list[tuple[str, dict[str, str]]]:
        """(key, fields) of what came, key after key; waits if nothing has (0: does not wait)."""
        block_ms = int(block_seconds * 1000) or None
        reply: Any = self._redis.xread(cast(Any, self._cursors), _MAX_AT_ONCE, block_ms)
        came = {key.decode(): entries for key, entries in reply}
        self._cursors.update({key: entries[-1][0] for key, entries in came.items()})
        return [(key, _text(fields)) for key in self._cursors for _, fields in came.get(key, [])]

    def _last_id(self, key: str) -> bytes:
        last: Any = self._redis.xrevrange(key, count=1)
        return cast(bytes, last[0][0]) if last else _START


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {n.decode("utf-8", "replace"): v.decode("utf-8", "replace") for n, v in fields.items()}
