"""The watch reads a real server's output keys, each entry once and in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from worker.demo.report import account
from worker.demo.state import DemoState
from worker.demo.talk import Utterance
from worker.demo.watch import READ_COUNT, Watch
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys

STREAMS = ["live:demo", "live:demo-2"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def redis(server: EmbeddedServer) -> Iterator[Redis]:
    with Redis.from_url(server.url, protocol=2, decode_responses=True) as client:
        yield client
        client.flushdb()


def read_all(watch: Watch, num_times: int = 3) -> None:
    for _ in range(num_times):
        watch.read(block_seconds=0.01)


def test_every_kind_of_output_is_noted_with_its_stream(redis: Redis) -> None:
    state = DemoState.of(STREAMS, num_entries=2)
    keys = stream_keys("live:demo-2")
    redis.xadd(keys.transcript, {"entry": "1-0", "text": "Moves.", "speaker": "R", "restored": "1"})
    redis.xadd(keys.summary, {"text": "It moves.", "first": "1-0", "last": "2-0", "final": "1"})
    redis.xadd(keys.memory, {"kv_bytes": "1024", "tokens_seen": "7", "at": "12.5"})
    redis.xadd(keys.rejected, {"entry_id": "2-0", "reason": "no text", "raw": "{}"})
    read_all(Watch(redis, state, []))
    quiet, talking = state.streams.values()
    assert not (quiet.lines or quiet.summaries or quiet.memory or quiet.rejected)
    assert [(line.text, line.is_restored) for line in talking.lines] == [("Moves.", True)]
    assert [(one.last, one.is_final) for one in talking.summaries] == [("2-0", True)]
    assert [(one.kv_bytes, one.tokens_seen, one.at) for one in talking.memory] == [(1024, 7, 12.5)]
    assert talking.rejected == ["2-0"]


def test_a_long_stream_is_read_once_and_in_order(redis: Redis) -> None:
    state = DemoState.of(STREAMS[:1], num_entries=1200)
    key, watch = stream_keys("live:demo").transcript, Watch(redis, state, [])
    num_lines = 2 * READ_COUNT + 200
    for n in range(num_lines):
        redis.xadd(key, {"entry": f"{n}-0", "text": f"Line {n}."})
    read_all(watch, 5)
    assert [line.entry for line in state.shown.lines] == [f"{n}-0" for n in range(num_lines)]


def test_a_stream_is_done_after_its_last_line_and_its_final_summary(redis: Redis) -> None:
    state = DemoState.of(STREAMS[:1], num_entries=1)
    keys, watch = stream_keys("live:demo"), Watch(redis, state, [])
    redis.xadd(keys.transcript, {"entry": "1-0", "text": "Yes.", "end_of_stream": "1"})
    read_all(watch)
    assert not state.is_done
    redis.xadd(keys.summary, {"text": "Agreed.", "first": "1-0", "last": "1-0", "final": "1"})
    read_all(watch)
    assert state.is_done


def test_an_entry_that_somebody_else_publishes_is_accounted_for(redis: Redis) -> None:
    state = DemoState.of(STREAMS[:1], num_entries=1)
    watch = Watch(redis, state, [Utterance({"text": "Yes."}, end=3.0)])
    for text in ("Yes.", "hello from redis-cli"):
        entry_id = redis.xadd("live:demo", {"text": text})
        redis.xadd(stream_keys("live:demo").transcript, {"entry": entry_id, "text": text})
    read_all(watch)
    assert account(state.shown).num_published == 2
    assert account(state.shown).missing == []


def test_odd_fields_do_no_harm(redis: Redis) -> None:
    state = DemoState.of(STREAMS[:1], num_entries=1)
    keys = stream_keys("live:demo")
    redis.xadd(keys.memory, {"kv_bytes": "many"})
    redis.xadd(keys.transcript, {"hello": "world"})
    read_all(Watch(redis, state, []))
    assert state.shown.memory[0].kv_bytes == 0
    assert state.shown.lines[0].text == ""
