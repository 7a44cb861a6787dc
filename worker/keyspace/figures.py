"""How every stream is doing, for people and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from worker.intake.entries import id_seconds
from worker.keyspace.facts import Facts, facts_of, oldest_unread
from worker.keyspace.own_keys import broken
from worker.keyspace.registry import discover

# broken: a key of its own has a wrong type; failing: its owner has dropped it after a failure.
STATUSES = ("new", "live", "parked", "closed", "failing", "broken")
_AT_A_TIME = 500  # streams in one round trip: the server has others to serve in between


@dataclass(frozen=True)
class StreamFigures:
    """One line of `weir streams`. None: not known (yet)."""

    stream: str
    status: str  # one of STATUSES
    owner: str | None
    lag_entries: int
    lag_seconds: float | None  # age of the oldest entry that is not read
    tokens_seen: int
    window_fill: int | None  # tokens
    window_size: int | None  # tokens
    kv_bytes: int | None  # this stream's row
    summary_id: str | None
    summary_age_seconds: float | None
    is_waiting: bool  # for a worker that has room: nothing else is wrong with it
    oldest_unread: str | None  # the entry's id


def figures(redis: Redis, patterns: Iterable[str]) -> list[StreamFigures]:
    """How every stream is doing now, by name."""
    streams = discover(redis, patterns)
    starts = range(0, len(streams), _AT_A_TIME)
    return [line for at in starts for line in _figures(redis, streams[at : at + _AT_A_TIME])]


def _figures(redis: Redis, streams: Sequence[str]) -> list[StreamFigures]:
    facts, wrong = facts_of(redis, streams), broken(redis, streams)
    oldest = oldest_unread(redis, facts)
    now_seconds = server_seconds(redis)
    known = {fact.stream: _figures_of(fact, oldest, now_seconds) for fact in facts}
    known |= {stream: _broken_figures(stream) for stream in wrong}
    return [known[stream] for stream in streams if stream in known]


def _figures_of(fact: Facts, oldest: Mapping[str, str], now_seconds: float) -> StreamFigures:
    return StreamFigures(
        stream=fact.stream,
        status=fact.status,
        owner=fact.owner,
        lag_entries=fact.lag_entries,
        lag_seconds=_age(oldest.get(fact.stream), now_seconds),
        tokens_seen=int(fact.state.get("tokens_seen", 0)),
        window_fill=fact.memory.get("window_fill"),
        window_size=fact.memory.get("window_size"),
        kv_bytes=fact.memory.get("kv_bytes"),
        summary_id=fact.summary_id,
        summary_age_seconds=_age(fact.summary_id, now_seconds),
        is_waiting=fact.owner is None and fact.needs_an_owner and not fact.is_failing,
        oldest_unread=oldest.get(fact.stream),
    )


def _broken_figures(stream: str) -> StreamFigures:
    return StreamFigures(
        stream, "broken", None, 0, None, 0, None, None, None, None, None, False, None
    )


def server_seconds(redis: Redis) -> float:
    """What the server's clock says, since 1970."""
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6


def _age(entry_id: str | None, now_seconds: float) -> float | None:
    added_seconds = id_seconds(entry_id) if entry_id else None
    return None if added_seconds is None else max(0.0, now_seconds - added_seconds)
