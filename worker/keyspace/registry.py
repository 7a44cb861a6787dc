"""Which streams there are, and which of them need an owner.

Nothing is registered anywhere: an input key that matches a pattern is a stream, and all that is
known about it is read from Redis when somebody asks. Keys are found with SCAN, never with KEYS.

A round looks at every stream there is, so it asks little of each: of one that is owned how long its
lease lasts; of one that was given back at rest whether anything has come since, and a thing more in
its turn: whether it is still the stream that was read.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from redis import Redis

from worker.keyspace.facts import facts_of
from worker.keyspace.keys import is_own_key, stream_keys
from worker.keyspace.lease import seconds_left
from worker.keyspace.own_keys import broken

_log = logging.getLogger(__name__)

_SCAN_COUNT = 1000
_AT_A_TIME = 1000  # streams in one round trip: the server has others to serve in between
FEW = 16  # of the streams at rest, at least so many are asked for everything in a round
NUM_TURNS = 30  # and each of them once in so many rounds, more or less


def discover(redis: Redis, patterns: Iterable[str]) -> list[str]:
    """The stream keys that match any pattern, sorted, without Weir's own."""
    keys = {
        key
        for pattern in patterns
        for key in redis.scan_iter(match=pattern, count=_SCAN_COUNT, _type="stream")
    }
    names = (_name(key) for key in keys)
    return sorted(name for name in names if name is not None and not is_own_key(name))


@dataclass(frozen=True)
class Look:
    """unowned: streams without an owner that need one. seconds_left: of the others, when the lease
    runs out, unless it is renewed before."""

    unowned: list[str]
    seconds_left: Mapping[str, float] = field(default_factory=dict)


def look(redis: Redis, patterns: Iterable[str], *, lease_seconds: float = 10.0) -> Look:
    """What a round of the reconciler needs to know of all streams. lease_seconds: how long most
    leases are, see `seconds_left`."""
    return look_at(redis, discover(redis, patterns), lease_seconds=lease_seconds)


def look_at(redis: Redis, streams: Sequence[str], *, lease_seconds: float) -> Look:
    """The same, of these alone."""
    unowned: list[str] = []
    seconds: dict[str, float] = {}
    for at in range(0, len(streams), _AT_A_TIME):
        left = seconds_left(redis, streams[at : at + _AT_A_TIME], usual_seconds=lease_seconds)
        seconds |= {stream: ends for stream, ends in left.items() if ends is not None}
        free = [stream for stream, ends in left.items() if ends is None]
        unowned += _in_need(redis, _awake(redis, free))
    return Look(unowned, seconds)


def _awake(redis: Redis, free: Sequence[str]) -> list[str]:
    """All but those that were given back at rest, with nothing new since. A few of these are left
    in: a stream that was deleted and made anew may have lower ids, and nothing after the old one.
    """
    at_rest = _at_rest(redis, free)
    num_asked = max(FEW, len(at_rest) // NUM_TURNS)
    passed_over = set(random.sample(at_rest, max(0, len(at_rest) - num_asked)))
    return [stream for stream in free if stream not in passed_over]


def _at_rest(redis: Redis, streams: Sequence[str]) -> list[str]:
    """What cannot be told (a key of a wrong type) is for `facts_of` to judge."""
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            pipe.hmget(stream_keys(stream).state, ["status", "entry_id", "request_id"])
        found = zip(streams, pipe.execute(raise_on_error=False), strict=True)
        given_back = [
            (stream, state)
            for stream, state in found
            if isinstance(state, list) and state[0] in (b"parked", b"closed")
        ]
        for stream, (_, entry_id, request_id) in given_back:
            cursors: Any = {stream: entry_id, stream_keys(stream).requests: request_id}
            pipe.xread(cursors, count=1)
        news = pipe.execute(raise_on_error=False)
    return [stream for (stream, _), new in zip(given_back, news, strict=True) if not new]


def _in_need(redis: Redis, unowned: Sequence[str]) -> list[str]:
    """Those of which something is unread or asked for, or that are not finished.

    A closed stream that gets new entries is live again. One that is broken needs a person first.
    """
    known = {facts.stream: facts for facts in facts_of(redis, unowned)}
    rest = {stream for stream, facts in known.items() if not facts.needs_an_owner}
    wrong = broken(redis, [stream for stream in unowned if stream not in rest])
    for stream, what in wrong.items():
        _warn_once(f"{stream} gets no owner: {what}")
    free = [stream for stream, facts in known.items() if facts.owner is None]
    return [stream for stream in free if stream not in rest and stream not in wrong]


def is_known(redis: Redis, stream: str) -> bool:
    """Whether the stream is there, or has been."""
    return bool(redis.exists(stream, stream_keys(stream).state))


def has_been_owned(redis: Redis, stream: str) -> bool:
    """Whether a worker has ever taken the stream."""
    return bool(redis.exists(stream_keys(stream).state))


def has_closed(redis: Redis, stream: str) -> bool:
    return redis.hget(stream_keys(stream).state, "status") == b"closed"


def has_news(redis: Redis, stream: str, *, entry_id: str, request_id: str) -> bool:
    """Whether an entry or a request has come after these."""
    cursors: Any = {stream: entry_id, stream_keys(stream).requests: request_id}
    return bool(redis.xread(cursors, count=1))


def _name(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        _warn_once(f"{key!r} is passed over: its name is not UTF-8")
        return None


@lru_cache(maxsize=4096)
def _warn_once(text: str) -> None:
    """Streams are looked for every few seconds; what is wrong with one is said once a process."""
    _log.warning("%s", text)
