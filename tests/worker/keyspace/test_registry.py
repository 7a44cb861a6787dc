"""Which streams there are and which need an owner is read from Redis, and only from there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer, Output
from worker.keyspace.figures import figures
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Lease, Leases
from worker.keyspace.registry import FEW, NUM_TURNS, Look, discover, look
from worker.keyspace.requests import request

PATTERNS = ("live:*",)
KEYS = stream_keys("live:a")


@pytest.fixture
def leases(redis: Redis) -> Leases:
    return Leases(redis, "ana", lease_seconds=10)


def publish(redis: Redis, num: int = 1, stream: str = "live:a") -> list[str]:
    return [redis.xadd(stream, {"text": "hi"}).decode() for _ in range(num)]


def commit(
    redis: Redis, leases: Leases, after: Checkpoint, *outputs: Output, keep: bool = False
) -> Lease:
    """What an owner does: take the stream, commit, and give it back unless `keep`."""
    lease = leases.acquire("live:a")
    assert lease is not None
    before = Checkpoint.load(redis, "live:a")
    Committer(redis, lease_seconds=10).commit(lease, before, after, outputs)
    if not keep:
        leases.release(lease)
    return lease


def test_streams_are_found_by_pattern_and_type(redis: Redis) -> None:
    for name in ("live:b", "live:a", "talk:x", "other"):
        publish(redis, stream=name)
    redis.set("live:not-a-stream", "x")
    assert discover(redis, ("live:*", "talk:?", "live:a")) == ["live:a", "live:b", "talk:x"]


def test_our_own_keys_are_no_streams(redis: Redis, leases: Leases) -> None:
    publish(redis)
    commit(redis, leases, Checkpoint(), Output(KEYS.transcript, {"text": "hi"}))
    assert discover(redis, ("*",)) == ["live:a"]


def test_a_name_that_is_not_utf_8_is_passed_over_and_named_once(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.xadd(b"live:\xff", {"text": "hi"})
    for _ in range(3):
        assert discover(redis, PATTERNS) == []
    assert len(caplog.records) == 1 and "not UTF-8" in caplog.text


def test_a_new_stream_needs_an_owner(redis: Redis) -> None:
    publish(redis)
    assert look(redis, PATTERNS).unowned == ["live:a"]


def test_an_owned_stream_needs_no_other(redis: Redis, leases: Leases) -> None:
    publish(redis)
    leases.acquire("live:a")
    assert look(redis, PATTERNS).unowned == []


@pytest.mark.parametrize(
    ("status", "needs"), [("live", True), ("parked", False), ("closed", False)]
)
def test_with_all_read_the_status_decides(
    redis: Redis, leases: Leases, status: str, needs: bool
) -> None:
    [last] = publish(redis)
    commit(redis, leases, Checkpoint(entry_id=last, entries_read=1, status=status))  # type: ignore[arg-type]
    assert (look(redis, PATTERNS).unowned == ["live:a"]) == needs


@pytest.mark.parametrize("status", ["parked", "closed"])
def test_new_entries_make_a_stream_live_again(redis: Redis, leases: Leases, status: str) -> None:
    [last] = publish(redis)
    commit(redis, leases, Checkpoint(entry_id=last, entries_read=1, status=status))  # type: ignore[arg-type]
    publish(redis)
    assert look(redis, PATTERNS).unowned == ["live:a"]


def test_a_request_needs_an_owner(redis: Redis, leases: Leases) -> None:
    [last] = publish(redis)
    closed = Checkpoint(entry_id=last, entries_read=1, status="closed")
    commit(redis, leases, closed)
    request(redis, "live:a", "flush")
    assert look(redis, PATTERNS).unowned == ["live:a"]
    [(request_id, _)] = redis.xrange(KEYS.requests)
    commit(redis, leases, replace(closed, request_id=request_id.decode()))
    assert look(redis, PATTERNS).unowned == []


def test_an_entry_that_was_deleted_unread_needs_nobody(redis: Redis) -> None:
    redis.xdel("live:a", *publish(redis))
    assert look(redis, PATTERNS).unowned == []


@pytest.mark.parametrize("kind", ["summary", "state", "memory", "requests"])
def test_a_stream_whose_own_key_has_a_wrong_type_is_shown_as_broken(
    redis: Redis, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    stream = f"live:broken-{kind}"
    publish(redis, stream=stream)
    publish(redis)
    key = getattr(stream_keys(stream), kind)
    redis.rpush(key, "neither a stream, a hash nor a string")
    for _ in range(3):
        assert look(redis, PATTERNS).unowned == ["live:a"]
    assert [(line.stream, line.status) for line in figures(redis, PATTERNS)] == [
        ("live:a", "new"),
        (stream, "broken"),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"{stream} gets no owner: {key} has a wrong type; delete it"
    ]


def test_figures_of_a_new_stream(redis: Redis) -> None:
    publish(redis, 3)
    [line] = figures(redis, PATTERNS)
    assert (line.stream, line.status, line.owner, line.lag_entries) == ("live:a", "new", None, 3)
    assert line.lag_seconds is not None and 0 <= line.lag_seconds < 60
    assert line.window_fill is line.kv_bytes is line.summary_id is None


def test_figures_of_an_owned_stream(redis: Redis, leases: Leases) -> None:
    ids = publish(redis, 5)
    memory = {"kv_bytes": "1000", "window_fill": "200", "window_size": "256"}
    after = Checkpoint(entry_id=ids[2], entries_read=3, tokens_seen=321)
    outputs = (Output(KEYS.memory, memory), Output(KEYS.summary, {"text": "S"}))
    commit(redis, leases, after, *outputs, keep=True)
    [line] = figures(redis, PATTERNS)
    assert (line.status, line.owner, line.lag_entries, line.tokens_seen) == ("live", "ana", 2, 321)
    assert (line.kv_bytes, line.window_fill, line.window_size) == (1000, 200, 256)
    assert line.summary_id and line.summary_age_seconds is not None


def test_a_stream_that_is_read_to_its_end_has_no_lag(redis: Redis, leases: Leases) -> None:
    ids = publish(redis, 2)
    commit(redis, leases, Checkpoint(entry_id=ids[1], entries_read=2))
    [line] = figures(redis, PATTERNS)
    assert (line.lag_entries, line.lag_seconds) == (0, None)


def test_when_each_lease_runs_out_is_known(redis: Redis) -> None:
    for stream, seconds in (("live:a", 60), ("live:b", 5)):
        redis.xadd(stream, {"text": "hi"})
        redis.set(stream_keys(stream).lease, "somebody", ex=seconds)
    seen = look(redis, PATTERNS)
    assert seen.unowned == []
    assert 0 < seen.seconds_left["live:b"] <= 5 < seen.seconds_left["live:a"] <= 60


def test_without_a_lease_none_runs_out(redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"})
    assert look(redis, PATTERNS) == Look(["live:a"], {})


@pytest.fixture
def parked(redis: Redis, leases: Leases) -> list[str]:
    """Many streams at rest, by the words of a worker that has given them back."""
    names = [f"live:{number:03}" for number in range(10 * FEW)]
    for name in names:
        [last] = publish(redis, stream=name)
        lease = leases.acquire(name)
        assert lease is not None
        after = Checkpoint(entry_id=last, entries_read=1, status="parked")
        Committer(redis, lease_seconds=10).commit(lease, Checkpoint(), after, ())
        leases.release(lease)
    return names


def test_news_of_one_among_many_at_rest_is_seen_at_once(redis: Redis, parked: list[str]) -> None:
    assert look(redis, PATTERNS).unowned == []
    publish(redis, stream=parked[7])
    request(redis, parked[11], "flush")
    assert look(redis, PATTERNS).unowned == [parked[7], parked[11]]


def test_one_of_many_at_rest_that_was_made_anew_is_found_in_its_turn(
    redis: Redis, parked: list[str]
) -> None:
    redis.delete(parked[7])
    redis.xadd(parked[7], {"text": "hi"}, id="5-1")
    assert any(look(redis, PATTERNS).unowned == [parked[7]] for _ in range(100 * NUM_TURNS))


def test_a_look_asks_little_of_streams_at_rest(redis: Redis, parked: list[str]) -> None:
    def num_commands() -> int:
        return int(redis.info("stats")["total_commands_processed"])

    before = num_commands()
    look(redis, PATTERNS)
    assert num_commands() - before < 3 * len(parked) + 25 * FEW


def test_ids_that_are_no_times_have_no_age(redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"}, id="5-1")
    [line] = figures(redis, PATTERNS)
    assert (line.lag_entries, line.lag_seconds) == (1, None)
