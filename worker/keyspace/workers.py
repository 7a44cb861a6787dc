"""Who works here: one line a worker in a hash, and the orders that workers are left.

`weir:workers` says of each worker how much it has to do. A line is good for a few turns; whoever
writes its own takes away those that are older, by the server's clock. `weir:workers:OWNER` is the
list of a worker's orders: a stream that it is given, or is to give. Orders are hints, as messages
are: one that is lost costs the time until somebody finds a stream without an owner.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from redis import Redis

from worker.keyspace.keys import is_own_key
from worker.settings.rules import is_utf8

log = logging.getLogger(__name__)

WORKERS_KEY = "weir:workers"
FRESH_SECONDS = 5.0
ORDER_SECONDS = 60.0  # a worker that reads none for so long is gone

# A clock that is put forward makes all lines old, one that is put back makes them of the future:
# both are gone until their workers write again, a turn later.
_REPORT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[3])
local lines, fresh = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #lines, 2 do
  local at = tonumber(string.match(lines[i + 1], '^(%d+) '))
  if at and math.abs(now - at) <= tonumber(ARGV[3]) then
    fresh[#fresh + 1] = lines[i]
    fresh[#fresh + 1] = lines[i + 1]
  else
    redis.call('HDEL', KEYS[1], lines[i])
  end
end
return fresh
"""

_SEND = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

Verb = Literal["take", "give", "drain", "undrain"]
VERBS: tuple[Verb, ...] = get_args(Verb)


@dataclass(frozen=True)
class Line:
    """What a worker wrote, and when, in seconds of the server's clock."""

    at: float
    said: dict[str, Any]


@dataclass(frozen=True)
class Order:
    """take: own `stream`, which `worker` has just given. give: hand `stream` to `worker`. drain,
    undrain: own nothing, or something again. A stream here is UTF-8, and no key of Weir's own."""

    verb: Verb
    stream: str = ""
    worker: str = ""


class Workers:
    """The workers that share `key`, as one of them sees them."""

    def __init__(self, redis: Redis, *, key: str = WORKERS_KEY):
        self._redis = redis
        self._key = key
        self._report = redis.register_script(_REPORT)
        self._send = redis.register_script(_SEND)

    def report(self, owner: str, said: dict[str, Any]) -> dict[str, Line]:
        """Writes this worker's line; returns everybody's that is fresh, its own included."""
        args = (owner, json.dumps(said), int(1000 * FRESH_SECONDS))
        return _lines(self._report(keys=[self._key], args=args))

    def leave(self, owner: str) -> None:
        """Takes the worker's line away: nobody gives it anything more."""
        self._redis.hdel(self._key, owner)

    def all(self) -> dict[str, Line]:
        """Everybody's, for somebody who is no worker; those that are old as well."""
        lines = cast(dict[bytes, bytes], self._redis.hgetall(self._key))
        return _lines([part for line in lines.items() for part in line])

    def send(self, owner: str, order: Order) -> None:
        args = (json.dumps(vars(order)), int(1000 * ORDER_SECONDS))
        self._send(keys=[self._orders(owner)], args=args)

    def next_order(self, owner: str, *, timeout_seconds: float) -> Order | None:
        """Waits for one; what is no order is passed over. `redis` must allow for the wait."""
        found = self._redis.blpop([self._orders(owner)], timeout=timeout_seconds)
        return _order(cast(bytes, found[1])) if found else None

    def _orders(self, owner: str) -> str:
        return f"{self._key}:{owner}"


def _lines(flat: list[bytes]) -> dict[str, Line]:
    found = {}
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        at, _, said = text.partition(b" ")
        try:
            found[name.decode()] = Line(int(at) / 1000, dict(json.loads(said)))
        except (ValueError, TypeError):
            log.warning("%s: a line that no worker wrote: %.80r", WORKERS_KEY, text)
    return found


def _order(raw: bytes) -> Order | None:
    try:
        order = Order(**json.loads(raw))
        texts = (order.stream, order.worker)
        are_texts = all(isinstance(text, str) and is_utf8(text) for text in texts)
        if order.verb in VERBS and are_texts and not is_own_key(order.stream):
            return order
    except (ValueError, TypeError):  # no JSON, or not its fields
        pass
    log.warning("an order that nobody knows: %.80r", raw)
    return None
