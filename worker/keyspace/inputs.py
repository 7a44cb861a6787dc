"""What the server says of input streams as a whole: XINFO STREAM, one round trip for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.intake.entries import id_order

Info = Mapping[str, Any]


def infos(redis: Redis, streams: Sequence[str]) -> list[Info | None]:
    """None for a key that is not there, or is no stream. Raises redis' connection errors."""
    if not streams:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            pipe.xinfo_stream(stream)
        replies = pipe.execute(raise_on_error=False)
    return [_known(reply) for reply in replies]


def _known(reply: Any) -> Info | None:
    if isinstance(reply, ResponseError):
        return None
    if isinstance(reply, Exception):
        raise reply
    info: Info = reply
    return info


def is_made_anew(info: Info | None, cursor: str) -> bool:
    """Whether a stream has never had the entry at `cursor`: it was deleted, and another has its
    name. `info` is from after `cursor` was read."""
    if info is None:
        return False  # whoever reads it says so
    return id_order(info["last-generated-id"].decode()) < id_order(cursor)
