"""Whether the keys that Weir writes for a stream are what they should be: others can write too."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from worker.keyspace.keys import stream_keys

_KINDS = {
    "transcript": b"stream",
    "summary": b"stream",
    "notes": b"stream",
    "memory": b"stream",
    "rejected": b"stream",
    "answers": b"stream",
    "requests": b"stream",
    "requested": b"zset",
    "state": b"hash",
    "lease": b"string",
}


class BrokenKeys(Exception):
    """A stream cannot be owned until a person has looked at its keys; the message names them."""


def broken(redis: Redis, streams: Sequence[str]) -> dict[str, str]:
    """What is wrong with each of `streams` that has a key of a wrong type, for a person to read.
    One round trip."""
    pipe = redis.pipeline(transaction=False)
    for stream in streams:
        for name in _KINDS:
            pipe.type(getattr(stream_keys(stream), name))
    found = iter(pipe.execute())
    wrong = {}
    for stream in streams:
        kinds = {name: next(found) for name in _KINDS}
        names = [name for name, kind in kinds.items() if kind not in (_KINDS[name], b"none")]
        if names:
            keys = ", ".join(getattr(stream_keys(stream), name) for name in names)
            wrong[stream] = f"{keys} has a wrong type; delete it"
    return wrong


def require_sound(redis: Redis, stream: str) -> None:
    """Raises BrokenKeys."""
    for line in broken(redis, [stream]).values():
        raise BrokenKeys(line)
