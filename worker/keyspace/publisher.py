"""Publishes entries so that each is there once, even if a reply was lost and the client repeats.

redis-py repeats an XADD whose reply did not come, and the entry is there twice. Here every entry
has a number of its publisher's, and the server takes a number only once. Other publishers need none
of this: a plain XADD is all that a stream asks for.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from redis import Redis

from worker.keyspace.keys import stream_keys

REMEMBERED_SECONDS = 24 * 3600

# The hash has "number of the last entry taken:when" for each publisher. Those that have not been
# heard of for long go when a new one comes.
_PUBLISH = """
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local heard = tonumber(string.match(all[i + 1], ':(%d+)$'))
    if heard < now - ARGV[2] then redis.call('HDEL', KEYS[2], all[i]) end
  end
end
local taken = known and tonumber(string.match(known, '^%d+')) or 0
local number, at = tonumber(ARGV[3]), 4
while ARGV[at] do
  local first, num = at + 1, tonumber(ARGV[at])
  at = first + num
  if number > taken then redis.call('XADD', KEYS[1], '*', unpack(ARGV, first, at - 1)) end
  number = number + 1
end
redis.call('HSET', KEYS[2], ARGV[1], math.max(taken, number - 1) .. ':' .. now)
redis.call('EXPIRE', KEYS[2], ARGV[2])
"""


class Publisher:
    """Publishes to one stream. Not for several threads at a time: entries are numbered."""

    def __init__(self, redis: Redis, stream: str) -> None:
        keys = stream_keys(stream)
        self._keys = [stream, keys.published]
        self._script = redis.register_script(_PUBLISH)
        self._name = uuid.uuid4().hex
        self._next_number = 1

    def publish(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Add `entries` (each with at least one field), in order.

        After redis.ConnectionError or TimeoutError it is not known which of them are there: call
        again with the same entries, and each is there once.
        """
        args: list[str | int] = [self._name, REMEMBERED_SECONDS, self._next_number]
        for fields in entries:
            flat = [part for name_and_value in fields.items() for part in name_and_value]
            args += [len(flat), *flat]
        self._script(keys=self._keys, args=args)
        self._next_number += len(entries)
