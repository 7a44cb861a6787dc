"""Which streams there are, which of them need an owner, and how each is doing.

Nothing is registered anywhere: an input key that matches a pattern is a stream, and all that is
known about it is read from Redis when somebody asks. Keys are found with SCAN, never with KEYS.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.intake.entries import id_order, id_seconds
from worker.keyspace.inputs import GROUP, is_another, mark_in
from worker.keyspace.keys import is_own_key, stream_keys
from worker.keyspace.lease import seconds_left
from worker.keyspace.own_keys import broken

_log = logging.getLogger(__name__)

_SCAN_COUNT = 1000
_STATE_FIELDS = ("entry_id", "status", "request_id", "tokens_seen", "entries_read", "input")


@dataclass(frozen=True)
class StreamFigures:
    """One line of `weir streams`. None: not known (yet)."""

    stream: str
    status: str  # new, live, parked, closed or broken (a key of its own has a wrong type)
    owner: str | None
    lag_entries: int
    lag_seconds: float | None  # age of the oldest entry that is not read
    tokens_seen: int
    window_fill: int | None  # tokens
    window_size: int | None  # tokens
    kv_bytes: int | None  # this stream's row
    summary_id: str | None
    summary_age_seconds: float | None


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
    known = {facts.stream: facts for facts in _facts(redis, unowned)}
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


def figures(redis: Redis, patterns: Iterable[str]) -> list[StreamFigures]:
    """How every stream is doing now, by name."""
    streams = discover(redis, patterns)
    facts, wrong = _facts(redis, streams), broken(redis, streams)
    oldest = _oldest_unread(redis, facts)
    now_seconds = _now_seconds(redis)
    known = {fact.stream: _figures_of(fact, oldest, now_seconds) for fact in facts}
    known |= {stream: _broken_figures(stream) for stream in wrong}
    return [known[stream] for stream in streams if stream in known]


def _figures_of(fact: _Facts, oldest: Mapping[str, str], now_seconds: float) -> StreamFigures:
    return StreamFigures(
        stream=fact.stream,
        status=fact.status,
        owner=fact.owner,
        lag_entries=fact.lag_entries,
        lag_seconds=_age(oldest.get(fact.stream), now_seconds),
        tokens_seen=int(fact.state.get("tokens_seen", 0)),
        window_fill=_number(fact.memory, b"window_fill"),
        window_size=_number(fact.memory, b"window_size"),
        kv_bytes=_number(fact.memory, b"kv_bytes"),
        summary_id=fact.summary_id,
        summary_age_seconds=_age(fact.summary_id, now_seconds),
    )


def _broken_figures(stream: str) -> StreamFigures:
    return StreamFigures(stream, "broken", None, 0, None, 0, None, None, None, None, None)


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


@dataclass(frozen=True)
class _Facts:
    """What Redis says about one stream; `state` has the fields of _STATE_FIELDS that are there."""

    stream: str
    info: Mapping[str, Any]
    mark: str
    groups: Sequence[Mapping[str, Any]]
    state: Mapping[str, str]
    owner: str | None
    last_request_id: str
    memory: Mapping[bytes, bytes]
    summary_id: str | None

    @property
    def status(self) -> str:
        return self.state.get("status", "new")

    @property
    def entry_id(self) -> str:
        """Up to where it is settled. A stream that was made anew is not, whatever its name was."""
        return "0-0" if self.is_made_anew else self.state.get("entry_id", "0-0")

    @property
    def is_made_anew(self) -> bool:
        cursor, read_of = self.state.get("entry_id", "0-0"), self.state.get("input", "")
        last_id = self.info["last-generated-id"].decode()
        return is_another(self.mark, last_id, read_of=read_of, cursor=cursor)

    @property
    def has_unread(self) -> bool:
        last = self.info["last-entry"]
        return last is not None and id_order(last[0].decode()) > id_order(self.entry_id)

    @property
    def needs_an_owner(self) -> bool:
        is_asked = id_order(self.last_request_id) > id_order(self.state.get("request_id", "0-0"))
        return self.has_unread or is_asked or self.status == "live"

    @property
    def lag_entries(self) -> int:
        if not self.has_unread:
            return 0
        num_added = int(self.info["entries-added"])
        if self.is_made_anew:
            return num_added
        for group in self.groups:
            if group["name"] == GROUP.encode() and group.get("lag") is not None:
                return int(group["lag"])
        # No commit yet, or entries were deleted one by one and the server cannot tell.
        return max(1, num_added - int(self.state.get("entries_read", 0)))


def _facts(redis: Redis, streams: Sequence[str]) -> list[_Facts]:
    """One round trip. Without streams that are deleted meanwhile, or have keys of a wrong type."""
    pipe = redis.pipeline(transaction=False)
    for stream in streams:
        keys = stream_keys(stream)
        # Before the stream: what is settled by then is in it, or was in another of its name.
        pipe.hmget(keys.state, _STATE_FIELDS)
        pipe.xinfo_stream(stream)
        pipe.xinfo_groups(stream)
        pipe.xinfo_consumers(stream, GROUP)
        pipe.get(keys.lease)
        for output in (keys.requests, keys.memory, keys.summary):
            pipe.xrevrange(output, count=1)
    replies = pipe.execute(raise_on_error=False)
    num_each = len(replies) // len(streams) if streams else 0
    answers = [replies[at * num_each : (at + 1) * num_each] for at in range(len(streams))]
    found = zip(streams, answers, strict=True)
    return [facts for stream, answer in found if (facts := _facts_of(stream, answer))]


def _facts_of(stream: str, answer: Sequence[Any]) -> _Facts | None:
    state, info, groups, consumers, owner, requests, memory, summary = answer
    needed = (state, info, groups, owner, requests, memory, summary)
    if any(isinstance(reply, ResponseError) for reply in needed):
        return None
    return _Facts(
        stream=stream,
        info=info,
        mark=mark_in(consumers),
        groups=groups,
        state={n: v.decode() for n, v in zip(_STATE_FIELDS, state, strict=True) if v is not None},
        owner=None if owner is None else owner.decode(),
        last_request_id=requests[0][0].decode() if requests else "0-0",
        memory=memory[0][1] if memory else {},
        summary_id=summary[0][0].decode() if summary else None,
    )


def _oldest_unread(redis: Redis, facts: Sequence[_Facts]) -> dict[str, str]:
    """The id of the oldest unread entry of each stream that has one."""
    behind = [fact for fact in facts if fact.has_unread]
    pipe = redis.pipeline(transaction=False)
    for fact in behind:
        pipe.xrange(fact.stream, min=f"({fact.entry_id}", count=1)
    replies = pipe.execute(raise_on_error=False)
    return {
        fact.stream: found[0][0].decode()
        for fact, found in zip(behind, replies, strict=True)
        if isinstance(found, list) and found
    }


def _now_seconds(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6


def _age(entry_id: str | None, now_seconds: float) -> float | None:
    added_seconds = id_seconds(entry_id) if entry_id else None
    return None if added_seconds is None else max(0.0, now_seconds - added_seconds)


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int | None:
    return int(fields[name]) if name in fields else None
