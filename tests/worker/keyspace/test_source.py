"""Every entry after the cursor is read once, in order, whatever happens to the server."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from worker.intake.entries import Entry, EntryLimits, Rejected
from worker.keyspace.connection import connect_blocking
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import Request, request
from worker.keyspace.source import Arrivals, Source
from worker.settings.config import Settings

STREAM = "live:a"


@pytest.fixture
def source(redis: Redis, weir_settings: Settings) -> Iterator[Source]:
    with connect_blocking(weir_settings, block_seconds=1) as client:
        yield Source(client, EntryLimits())


def publish(redis: Redis, *texts: str, stream: str = STREAM) -> list[str]:
    return [redis.xadd(stream, {"text": text}).decode() for text in texts]


def read_all(
    source: Source, stream: str = STREAM, *, cursor: str = "0-0", count: int = 3
) -> list[str]:
    texts = []
    while arrived := source.read({stream: cursor}, {}, count=count, block_seconds=0).entries:
        texts += [entry.text for entry in arrived[stream] if isinstance(entry, Entry)]
        cursor = arrived[stream][-1].id
    return texts


def test_reads_on_from_the_cursor(redis: Redis, source: Source) -> None:
    ids = publish(redis, "a", "b", "c")
    arrivals = source.read({STREAM: ids[0]}, {}, count=10, block_seconds=0)
    assert arrivals == Arrivals({STREAM: [Entry(ids[1], "b"), Entry(ids[2], "c")]}, {})


def test_nothing_is_lost_or_doubled_between_reads(redis: Redis, source: Source) -> None:
    texts = [str(n) for n in range(100)]
    publish(redis, *texts)
    assert read_all(source, count=7) == texts


def test_many_streams_in_one_read_each_with_its_own_count(redis: Redis, source: Source) -> None:
    for name in "abc":
        publish(redis, *f"{name}{name}{name}", stream=name)
    arrivals = source.read(dict.fromkeys("abcd", "0-0"), {}, count=2, block_seconds=0)
    assert {name: len(entries) for name, entries in arrivals.entries.items()} == {
        "a": 2,
        "b": 2,
        "c": 2,
    }


def test_a_blocked_read_wakes_for_an_entry(
    redis: Redis, source: Source, weir_settings: Settings
) -> None:
    with connect_blocking(weir_settings, 60) as waiting:
        waiter = Source(waiting, EntryLimits())
        redis.xadd(STREAM, {"text": "first"})
        first = waiter.read({STREAM: "0-0"}, {}, count=1, block_seconds=60)
    assert isinstance(first.entries[STREAM][0], Entry)


def test_bad_entries_come_with_the_good_ones(redis: Redis, source: Source) -> None:
    bad = redis.xadd(STREAM, {"Text": "hi"}).decode()
    [good] = publish(redis, "hi")
    arrivals = source.read({STREAM: "0-0"}, {}, count=10, block_seconds=0)
    assert arrivals.entries[STREAM] == [
        Rejected(bad, "no text: the field is missing", {b"Text": b"hi"}, "no_text"),
        Entry(good, "hi"),
    ]


def test_requests_are_read_beside_the_input(redis: Redis, source: Source) -> None:
    publish(redis, "hi")
    request(redis, STREAM, "ask", question="Who speaks?", id="q1")
    arrivals = source.read({STREAM: "0-0"}, {STREAM: "0-0"}, count=10, block_seconds=0)
    [asked] = arrivals.requests[STREAM]
    assert isinstance(asked, Request)
    assert (asked.id, asked.kind, asked.question) == ("q1", "ask", "Who speaks?")
    again = source.read({}, {STREAM: asked.entry_id}, count=10, block_seconds=0)
    assert again == Arrivals()


def test_a_request_written_by_hand_is_rejected_not_lost(redis: Redis, source: Source) -> None:
    redis.xadd(stream_keys(STREAM).requests, {"kind": "dance"})
    arrivals = source.read({}, {STREAM: "0-0"}, count=10, block_seconds=0)
    [rejected] = arrivals.requests[STREAM]
    assert isinstance(rejected, Rejected)
    assert "dance" in rejected.reason


def test_with_nothing_to_read_it_waits_without_the_server(redis: Redis) -> None:
    waits: list[float] = []
    source = Source(redis, EntryLimits(), sleep=waits.append)
    assert source.read({}, {}, count=1, block_seconds=0.5) == Arrivals()
    assert waits == [0.5]


def test_a_key_that_is_no_stream_any_more_does_not_stop_the_others(
    redis: Redis, source: Source
) -> None:
    publish(redis, "hi")
    redis.set("live:b", "not a stream")
    arrivals = source.read({STREAM: "0-0", "live:b": "0-0"}, {}, count=10, block_seconds=0)
    assert list(arrivals.entries) == [STREAM]


def test_a_server_restart_loses_and_doubles_nothing(caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []
    with EmbeddedServer(durable=True) as server:
        settings = Settings(redis_url=server.url)
        source = Source(connect_blocking(settings, 1), EntryLimits(), sleep=waits.append)
        with Redis.from_url(server.url) as redis:
            ids = publish(redis, "a", "b", "c")
        first = source.read({STREAM: "0-0"}, {}, count=2, block_seconds=0.1)
        assert [entry.id for entry in first.entries[STREAM]] == ids[:2]

        server.kill()
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                assert source.read({STREAM: ids[1]}, {}, count=2, block_seconds=0.15) == Arrivals()
        assert not source.is_connected
        assert len(caplog.messages) == 1
        assert waits == [0.05, 0.1, 0.15, 0.15]

        server.start()
        with Redis.from_url(server.url) as redis:
            publish(redis, "d")
        assert read_all(source, cursor=ids[1]) == ["c", "d"]
        assert source.is_connected


# What was trimmed away before it was read is counted.


def missed(source: Source, cursor: str, entries_read: int, *, count: int = 100) -> int:
    arrivals = source.read({STREAM: cursor}, {}, count=count, block_seconds=0)
    return source.count_missed({STREAM: entries_read}, arrivals).get(STREAM, 0)


def test_nothing_is_missed_while_nothing_is_trimmed(redis: Redis, source: Source) -> None:
    ids = publish(redis, *"abcdef")
    assert missed(source, "0-0", 0) == 0
    assert missed(source, ids[2], 3) == 0


def test_trimming_what_was_read_misses_nothing(redis: Redis, source: Source) -> None:
    ids = publish(redis, *"abcdef")
    redis.xtrim(STREAM, maxlen=3, approximate=False)
    assert missed(source, ids[2], 3) == 0


def test_trimming_what_was_not_read_is_counted(redis: Redis, source: Source) -> None:
    ids = publish(redis, *"abcdef")
    redis.xtrim(STREAM, maxlen=2, approximate=False)
    assert missed(source, ids[0], 1) == 3
    assert missed(source, "0-0", 0) == 4


def test_trimming_what_just_arrived_misses_nothing(redis: Redis, source: Source) -> None:
    publish(redis, *"abcdef")
    arrivals = source.read({STREAM: "0-0"}, {}, count=3, block_seconds=0)
    redis.xtrim(STREAM, maxlen=3, approximate=False)
    assert source.count_missed({STREAM: 0}, arrivals) == {}


def test_a_deleted_stream_misses_nothing(redis: Redis, source: Source) -> None:
    publish(redis, *"abc")
    arrivals = source.read({STREAM: "0-0"}, {}, count=3, block_seconds=0)
    redis.delete(STREAM)
    assert source.count_missed({STREAM: 0}, arrivals) == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["publish", "trim", "read"]), st.integers(1, 6)), max_size=25
    )
)
def test_read_and_missed_entries_add_up_to_all_that_were_published(
    redis_server: EmbeddedServer, actions: list[tuple[str, int]]
) -> None:
    with Redis.from_url(redis_server.url, protocol=2) as redis:
        redis.flushall()
        source = Source(redis, EntryLimits())
        num_published, cursor, entries_read, num_read, num_missed = 0, "0-0", 0, 0, 0
        for action, num in [*actions, ("publish", 1), ("read", 100)]:
            if action == "publish":
                publish(redis, *"x" * num)
                num_published += num
            elif action == "trim":
                redis.xtrim(STREAM, maxlen=num, approximate=False)
            else:
                arrivals = source.read({STREAM: cursor}, {}, count=num, block_seconds=0)
                gone = source.count_missed({STREAM: entries_read}, arrivals).get(STREAM, 0)
                arrived = arrivals.entries.get(STREAM, [])
                entries_read += len(arrived) + gone
                num_read, num_missed = num_read + len(arrived), num_missed + gone
                cursor = arrived[-1].id if arrived else cursor
        assert num_read + num_missed == num_published == entries_read
