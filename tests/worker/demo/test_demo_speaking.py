"""The feed keeps the talk's pace on a real server, and the watch sees what it published."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from worker.demo.speaking import MAX_AT_ONCE, Feed
from worker.demo.state import DemoState
from worker.demo.talk import Utterance
from worker.demo.watch import Watch
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.publisher import Publisher


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with (
        EmbeddedServer() as server,
        Redis.from_url(server.url, protocol=2, decode_responses=True) as client,
    ):
        yield client


def talk_ending_at(*ends: float) -> list[Utterance]:
    return [Utterance({"text": f"Until {end}."}, end) for end in ends]


def feed_of(redis: Redis, talk: list[Utterance], speed: float, *streams: str) -> Feed:
    redis.flushdb()
    return Feed([Publisher(redis, stream) for stream in streams], talk, speed)


def test_utterances_are_published_when_they_end_at_the_given_speed(redis: Redis) -> None:
    feed = feed_of(redis, talk_ending_at(10, 20, 50), 10.0, "live:demo")
    feed.publish_first()
    feed.start_pace(200.0)
    for now, num_published in [(200.9, 1), (201.1, 2), (203.9, 2), (204.1, 3), (300.0, 3)]:
        feed.publish_due(now)
        assert redis.xlen("live:demo") == num_published


def test_every_stream_gets_the_whole_talk_in_order(redis: Redis) -> None:
    streams, talk = ["live:demo", "live:demo-2", "live:demo-3"], talk_ending_at(1, 2, 3)
    feed = feed_of(redis, talk, math.inf, *streams)
    feed.publish_first()
    feed.publish_due(feed.start_pace(0.0))
    for stream in streams:
        fields = [fields for _id, fields in redis.xrange(stream)]
        assert fields == [utterance.fields for utterance in talk]


@given(st.integers(1, 60))
def test_at_full_speed_everything_is_due_a_part_at_a_time(redis: Redis, num_entries: int) -> None:
    feed = feed_of(redis, talk_ending_at(*range(num_entries)), math.inf, "live:demo")
    feed.publish_first()
    feed.start_pace(6.0)
    for _ in range(1 + num_entries // MAX_AT_ONCE):
        feed.publish_due(6.0)
    assert redis.xlen("live:demo") == num_entries


def test_the_watch_notes_what_was_published_with_its_id_and_end(redis: Redis) -> None:
    talk, state = talk_ending_at(1, 2, 3), DemoState.of(["live:demo"], 3)
    feed = feed_of(redis, talk, math.inf, "live:demo")
    feed.publish_first()
    feed.publish_due(feed.start_pace(0.0))
    Watch(redis, state, talk, clock=lambda: 7.0).read(block_seconds=0.01)
    ids = [entry_id for entry_id, _fields in redis.xrange("live:demo")]
    assert [(one.id, one.end, one.at) for one in state.shown.published] == [
        (ids[0], 1, 7.0),
        (ids[1], 2, 7.0),
        (ids[2], 3, 7.0),
    ]
    assert [state.shown.numbers[entry_id] for entry_id in ids] == [1, 2, 3]
