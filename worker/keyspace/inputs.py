"""Input streams as a whole: how long one is, and which of those that had its name it is.

The first owner marks an input: a consumer of a random name in our group (mark.lua). The mark is
part of the key. It is there after a restart, a failover or a restore, and gone when the key is
deleted, so that a stream that has lost its last entries is never taken for another one of its name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.intake.entries import id_order
from worker.keyspace.keys import stream_keys

GROUP = "weir:cursor"  # as in input.lua
_MARK = "mark:"  # nobody who reads through our group is taken for it
INPUT_LUA = Path(__file__).with_name("input.lua").read_text(encoding="utf-8")
_MARK_LUA = INPUT_LUA + Path(__file__).with_name("mark.lua").read_text(encoding="utf-8")

Info = Mapping[str, Any]


@dataclass(frozen=True)
class Input:
    """A stream as it was found: its mark, the last id it has given, the entries it has ever had,
    and up to which id some of them may have been trimmed or deleted."""

    mark: str
    last_id: str
    num_added: int
    removed_until: str


def marked(redis: Redis, stream: str) -> Input | None:
    """The input, which bears a mark from now on; None if there is no stream of this name."""
    keys = stream_keys(stream)
    script = redis.register_script(_MARK_LUA)
    found: Any = script(keys=[keys.stream, keys.state], args=[_MARK + uuid.uuid4().hex])
    if found is None:
        return None
    mark, last_id, num_added, removed_until = found
    return Input(mark.decode(), last_id.decode(), num_added, removed_until.decode())


def num_absent(redis: Redis, stream: str, ids: Sequence[str]) -> int:
    """How many of these entries the input does not have."""
    with redis.pipeline(transaction=False) as pipe:
        for entry_id in ids:
            pipe.xrange(stream, entry_id, entry_id)
        return sum(not found for found in pipe.execute())


def infos(redis: Redis, streams: Sequence[str]) -> list[Info | None]:
    """XINFO STREAM and the `mark` ("": none) of each, in one round trip. None for a key that is not
    there, or is no stream. Raises redis' connection errors."""
    if not streams:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            pipe.xinfo_stream(stream)
            pipe.xinfo_consumers(stream, GROUP)
        replies = iter(pipe.execute(raise_on_error=False))
    return [_known(reply, replies) for reply in replies]


def _known(reply: Any, replies: Iterator[Any]) -> Info | None:
    consumers = next(replies)
    for answer in (reply, consumers):
        if isinstance(answer, Exception) and not isinstance(answer, ResponseError):
            raise answer
    return None if isinstance(reply, ResponseError) else {**reply, "mark": mark_in(consumers)}


def mark_in(consumers: Any) -> str:
    """The mark in a reply to XINFO CONSUMERS; "" if that was an error: there is no such group."""
    if isinstance(consumers, ResponseError):
        return ""
    names = [str(consumer["name"], "utf-8", "replace") for consumer in consumers]
    return next((name for name in names if name.startswith(_MARK)), "")


def is_another(mark: str, last_id: str, *, read_of: str, cursor: str) -> bool:
    """Whether the stream with this `mark` is not the one that was read up to `cursor`, whose mark
    was `read_of`: it was deleted, and another has its name."""
    if read_of:
        return mark != read_of
    # Last read by a version that knew no marks: all that it could see was that ids began again.
    return id_order(last_id) < id_order(cursor)
