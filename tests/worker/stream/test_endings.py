"""A stream that has ended is closed, and one that has something to do does it: nothing holds still
for what can never come."""

from __future__ import annotations

import shutil

import pytest
from redis import Redis

from tests.worker.workbench import (
    END_SECONDS,
    KEYS,
    STREAM,
    Workbench,
    column,
    is_closed,
    outputs,
    publish,
)
from worker.keyspace import figures, registry
from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import request
from worker.settings.config import Settings

PROMPTS = {"todo": "What is to be done?", "who": "Who speaks?"}
SETTINGS = {"restore": "off"}


@pytest.mark.parametrize("num_rounds", [0, 1, 2, 5])
def test_a_stream_whose_end_is_read_closes_although_a_snapshot_is_due(
    redis: Redis, small: Settings, num_rounds: int
) -> None:
    """Its last lines are not fed yet by then."""
    long = {"num_recent": 600, "summary_tokens": 400, "summary_seconds": 10**6}
    bench = Workbench(small.model_copy(update=long))
    for _ in range(240):
        redis.xadd(STREAM, {"text": "A"})
    end = redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.pipeline.adopt(STREAM)
    bench.run(until=lambda: redis.hget(KEYS.state, "entry_id") == end)
    bench.run(num_rounds)
    bench.now += small.snapshot_seconds
    bench.run(until=lambda: is_closed(redis))


def test_a_request_that_cannot_be_read_is_set_aside_and_asked_about_no_more(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """One that nobody carries out would have its stream owned for ever."""
    publish(redis, 3)
    bench = Workbench(small)
    bench.run_to_end()
    for kind in ("nonsense", "ask"):
        redis.xadd(KEYS.requests, {"kind": kind})
    assert registry.look(redis, small.patterns).unowned == [STREAM]
    bench.pipeline.adopt(STREAM)
    bench.run(5)
    assert [r["reason"] for r in outputs(redis_text, KEYS.rejected)] == [
        "kind='nonsense' is not one of flush, ask, close, release",
        "ask without a question",
    ]
    bench.pipeline.close(END_SECONDS)
    assert registry.look(redis, small.patterns).unowned == []


def test_each_summary_is_answered_for_once_whoever_dies(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """Owners live longer and longer, until one lives to the end."""
    settings = small.model_copy(update={"prompts": PROMPTS})
    publish(redis, 12)
    num_rounds = 3
    while not is_closed(redis):
        redis.delete(KEYS.lease)
        bench = Workbench(settings)
        bench.pipeline.adopt(STREAM)
        bench.run(num_rounds, until=lambda: is_closed(redis))
        num_rounds += 5
    made = [s for s in outputs(redis_text, KEYS.summary) if s["tokens"] != "0"]
    answers = outputs(redis_text, KEYS.answers)
    assert len(made) > 2
    for name in PROMPTS:
        assert column(answers, "id").count(name) == len(made)


def test_a_question_and_the_end_that_is_asked_for_after_it_are_both_carried_out(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    publish(redis, 3, end=False)
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    bench.run(3)
    request(redis, STREAM, "ask", question="Who sticks?", id="q")
    request(redis, STREAM, "close")
    bench.run(until=lambda: is_closed(redis))
    assert column(outputs(redis_text, KEYS.answers), "id") == ["q"]


def test_questions_that_wait_when_the_end_is_read_are_answered_before_it(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """Afterwards nobody would know of what."""
    publish(redis, 3)
    names = [f"q{number}" for number in range(4)]
    for name in names:
        request(redis, STREAM, "ask", question="Who sticks?", id=name)
    Workbench(small).run_to_end()
    assert is_closed(redis)
    assert column(outputs(redis_text, KEYS.answers), "id") == names
    assert registry.look(redis, small.patterns).unowned == []


def test_folders_that_were_removed_are_made_again(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    ids = publish(redis, 6, end=False)
    bench = Workbench.owning(small)
    shutil.rmtree(small.snapshot_dir)
    bench.pipeline.close(END_SECONDS)
    assert len(list(small.snapshot_dir.glob("*.safetensors"))) == 1
    shutil.rmtree(small.snapshot_dir)
    ids += publish(redis, 3)
    Workbench(small).run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids


@pytest.mark.parametrize(
    "name",
    [
        "transcript",
        "summary",
        "notes",
        "memory",
        "rejected",
        "answers",
        "requests",
        "requested",
        "state",
    ],
)
def test_a_stream_with_a_key_of_a_wrong_type_has_no_owner_until_that_is_deleted(
    redis: Redis, redis_text: Redis, small: Settings, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = getattr(stream_keys(STREAM), name)
    redis.lpush(key, "somebody's notes")
    ids = publish(redis, 2)
    bench = Workbench(small)
    for _ in range(3):
        assert registry.look(redis, small.patterns).unowned == []
        bench.pipeline.adopt(STREAM)  # somebody asks for it all the same
        bench.run(1)
        assert not bench.streams
        assert not redis.exists(KEYS.lease)
    assert figures.figures(redis, small.patterns)[0].status == "broken"
    assert f"{key} has a wrong type; delete it" in caplog.text
    redis.delete(key)
    assert registry.look(redis, small.patterns).unowned == [STREAM]
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids


def test_an_owner_gives_up_a_stream_whose_transcript_is_none_any_more(
    redis: Redis, redis_text: Redis, small: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    publish(redis, 2, end=False)
    bench = Workbench.owning(small)
    redis.delete(KEYS.transcript)
    redis.set(KEYS.transcript, "somebody's notes")
    ids = publish(redis, 2)
    bench.run(until=lambda: not bench.streams)
    for _ in range(10):
        bench.now += 10
        redis.delete(KEYS.lease)
        assert registry.look(redis, small.patterns).unowned == []
        bench.run(1)
    assert len([r for r in caplog.records if r.name.startswith("worker.owner")]) == 1
    redis.delete(KEYS.transcript)
    assert registry.look(redis, small.patterns).unowned == [STREAM]
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
