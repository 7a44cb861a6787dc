"""Which streams there are, and which of them need an owner.

Nothing is registered anywhere: an input key that matches a pattern is a stream, and all that is
known about it is read from Redis when somebody asks. Keys are found with SCAN, never with KEYS.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from redis import Redis

from worker.keyspace.facts import facts_of
from worker.keyspace.keys import is_own_key, stream_keys
from worker.keyspace.lease import seconds_left
from worker.keyspace.own_keys import broken

_log = logging.getLogger(__name__)

_SCAN_COUNT = 1000


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
    """unowned: streams without an owner that need one. next_seconds: when the next lease runs out,
    unless it is renewed before; None if there is none."""

    unowned: list[str]
    next_seconds: float | None = None


def look(redis: Redis, patterns: Iterable[str], *, lease_seconds: float = 10.0) -> Look:
    """What a round of the reconciler needs to know of all streams. lease_seconds: how long most
    leases are, see `seconds_left`."""
    streams = discover(redis, patterns)
    # Most have an owner, and of those nothing else needs to be asked.
    left = seconds_left(redis, streams, usual_seconds=lease_seconds)
    free = [stream for stream in streams if left[stream] is None]
    return Look(_in_need(redis, free), min((s for s in left.values() if s), default=None))


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
