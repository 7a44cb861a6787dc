"""Whether the keys that Weir writes for a stream are what they should be: others can write too."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from worker.keyspace.cluster import whole_replies
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

_WRONG = """
local wrong = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i] then wrong[#wrong + 1] = key end
end
return wrong
"""


class BrokenKeys(Exception):
    """A stream cannot be owned until a person has looked at its keys; the message names them."""


def broken(redis: Redis, streams: Sequence[str]) -> dict[str, str]:
    """What is wrong with each of `streams` that has a key of a wrong type, for a person to read.
    One round trip."""
    script = redis.register_script(_WRONG)
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            keys = [getattr(stream_keys(stream), name) for name in _KINDS]
            script(keys=keys, args=list(_KINDS.values()), client=pipe)
        found = zip(streams, whole_replies(pipe, moving=[]), strict=True)
        wrong = {stream: [key.decode() for key in keys] for stream, keys in found if keys}
    return {s: f"{', '.join(keys)} has a wrong type; delete it" for s, keys in wrong.items()}


def require_sound(redis: Redis, stream: str) -> None:
    """Raises BrokenKeys."""
    for line in broken(redis, [stream]).values():
        raise BrokenKeys(line)
