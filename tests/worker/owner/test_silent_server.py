"""A server that does not answer is waited for once, however many streams want something of it: in a
round, and at the end of a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.worker.workbench import (
    END_SECONDS,
    Workbench,
    column,
    outputs,
    publish,
    settings_for,
)
from worker.keyspace.committer import Committer
from worker.keyspace.keys import stream_keys
from worker.settings.config import Settings

STREAMS = [f"live:{n}" for n in range(5)]


class Silence:
    """What the server answers to commits: nothing, or `error`; and who asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        original = Committer.commit

        def commit(committer: Committer, lease: Any, *rest: Any) -> Any:
            self.asked.append(lease.stream)
            if self.error:
                raise self.error
            return original(committer, lease, *rest)

        monkeypatch.setattr(Committer, "commit", commit)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Silence:
    return Silence(monkeypatch)


@pytest.fixture
def ids(redis: Redis) -> dict[str, list[str]]:
    """Of all that is published, by stream; `bench` publishes it."""
    return {}


@pytest.fixture
def bench(
    weir_settings: Settings, redis: Redis, ids: dict[str, list[str]], tmp_path: Path
) -> Workbench:
    """Owns all of STREAMS, and each has something to commit."""
    bench = Workbench(settings_for(weir_settings.redis_url, tmp_path, restore="off"))
    for stream in STREAMS:
        ids[stream] = publish(redis, 3, stream, end=False)
        bench.pipeline.adopt(stream)
    bench.pipeline.run_once()
    for stream in STREAMS:
        ids[stream] += publish(redis, 3, stream)
    return bench


def told(redis_text: Redis) -> dict[str, list[str]]:
    """Which entries are in the transcripts."""
    return {s: column(outputs(redis_text, stream_keys(s).transcript), "entry") for s in STREAMS}


def test_a_round_waits_for_a_silent_server_once_and_loses_nothing(
    bench: Workbench, silence: Silence, redis_text: Redis, ids: dict[str, list[str]]
) -> None:
    silence.error = RedisTimeoutError("no answer")
    for _ in range(3):
        silence.asked.clear()
        with pytest.raises(RedisTimeoutError):
            bench.pipeline.run_once()
        assert len(silence.asked) == 1
        bench.check()
    silence.error = None
    bench.run(until=lambda: not bench.streams)
    assert told(redis_text) == ids


def test_a_refusal_may_be_for_one_stream_so_all_are_tried(
    bench: Workbench, silence: Silence
) -> None:
    silence.error = OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
    with pytest.raises(OutOfMemoryError):
        bench.pipeline.run_once()
    assert sorted(silence.asked) == STREAMS


def test_the_end_of_a_worker_waits_for_a_silent_server_once(
    bench: Workbench, silence: Silence
) -> None:
    silence.error = RedisTimeoutError("no answer")
    bench.pipeline.close(END_SECONDS)
    assert len(silence.asked) == 1
    assert not bench.streams


def test_an_end_without_time_asks_for_nothing_and_the_next_owner_goes_on(
    bench: Workbench,
    silence: Silence,
    redis: Redis,
    redis_text: Redis,
    ids: dict[str, list[str]],
    weir_settings: Settings,
    tmp_path: Path,
) -> None:
    """As little time as there is on a machine that is busy with something else."""
    bench.now = 1000.0
    silence.asked.clear()
    bench.pipeline.close(-1.0)
    assert silence.asked == []
    assert not bench.streams
    assert not list(tmp_path.glob("*.safetensors"))
    for stream in STREAMS:
        redis.delete(stream_keys(stream).lease)
    second = Workbench(settings_for(weir_settings.redis_url, tmp_path, restore="off"))
    for stream in STREAMS:
        second.pipeline.adopt(stream)
    second.pipeline.run_once()
    second.run(until=lambda: not second.streams)
    assert told(redis_text) == ids
