"""What was published, read backward: as far as needed and no further."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis

_BATCH = 256
_OF_OURS = frozenset({"entry", "text"})


def newest_first(redis: Redis, key: str) -> Iterator[dict[str, str]]:
    """The fields of each transcript entry at `key`; what others wrote there is passed over."""
    return (fields for fields in all_newest_first(redis, key) if fields.keys() >= _OF_OURS)


def all_newest_first(redis: Redis, key: str) -> Iterator[dict[str, str]]:
    """The fields of each entry at `key`, whoever wrote it."""
    before = "+"
    while batch := _batch(redis, key, before):
        for output_id, raw in batch:
            before = f"({_text(output_id)}"
            yield {_text(name): _text(raw[name]) for name in raw}


def _batch(redis: Redis, key: str, before: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    reply: Any = redis.xrevrange(key, before, "-", count=_BATCH)
    return list(reply)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
