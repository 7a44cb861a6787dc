"""The main job as people run it: a real server, a real Celery worker, the bundled model.

Some workers start as anybody's do; where it does not matter they are forked, all imports done.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from engine.restore.spelling import letters
from tests.chaos.workers import Nursery, Worker
from tests.forks import PYTHON
from tests.system.celery_worker import PATIENCE_SECONDS, celery_worker, running, until
from tests.worker.workbench import (
    KEYS,
    STREAM,
    assert_tiled,
    column,
    is_closed,
    outputs,
    publish,
    sentence,
)
from worker.keyspace.keys import stream_keys
from worker.settings.config import Settings

APP = "worker.app"


@pytest.fixture
def environment(weir_settings: Settings, tmp_path: Path) -> dict[str, str]:
    """A worker that notices things soon and has a window that little text fills."""
    return {
        "WEIR_REDIS_URL": weir_settings.redis_url,
        "WEIR_METRICS_PORT": "0",
        "WEIR_SNAPSHOT_DIR": str(tmp_path / "snapshots"),
        "WEIR_SNAPSHOT_SECONDS": "0.2",
        "WEIR_LEASE_SECONDS": "1",
        "WEIR_DISCOVER_SECONDS": "0.2",
        "WEIR_NUM_RECENT": "156",
        "WEIR_SUMMARY_TOKENS": "60",
        "WEIR_SUMMARY_MAX_TOKENS": "12",
    }


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(PYTHON) as nursery:
        yield nursery


@contextmanager
def forked_worker(nursery: Nursery, log: Path, environment: dict[str, str]) -> Iterator[Worker]:
    worker = nursery.spawn(log, environment)
    try:
        yield worker
    finally:
        ended(worker, signal.SIGKILL)


def ended(worker: Worker, how: signal.Signals) -> int | None:
    """Its exit status."""
    worker.signal(how)
    assert worker.wait(PATIENCE_SECONDS), worker.output()
    return worker.status


def test_one_xadd_is_all_it_takes(
    redis: Redis, redis_text: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    with celery_worker(APP, tmp_path / "log", WEIR_SUMMARY_SECONDS="1", **environment) as worker:
        redis.xadd(STREAM, {"text": "good morning everyone"})
        wanted = (KEYS.transcript, KEYS.summary, KEYS.memory)
        until(lambda: redis.exists(*wanted) == 3, worker.output)
        [line] = outputs(redis_text, KEYS.transcript)
        assert letters(line["text"]) == "good morning everyone"
        assert line["restored"] == "1"


def test_a_worker_killed_in_the_middle_leaves_no_gap_and_no_duplicate(
    nursery: Nursery,
    redis: Redis,
    redis_text: Redis,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    ids = publish(redis, 40)
    for num_lines in (5, 15):
        with forked_worker(nursery, tmp_path / "log", environment) as worker:
            until(lambda: redis.xlen(KEYS.transcript) >= num_lines, worker.output)  # noqa: B023
            ended(worker, signal.SIGKILL)
        assert redis.xlen(KEYS.transcript) < len(ids), "it was killed in the middle"
    with forked_worker(nursery, tmp_path / "log", environment) as worker:
        until(lambda: is_closed(redis), worker.output)
        assert ended(worker, signal.SIGTERM) == 0, worker.output()
    transcript = outputs(redis_text, KEYS.transcript)
    assert column(transcript, "entry") == ids
    for number, line in enumerate(transcript[:-1]):
        assert letters(line["text"]) == letters(sentence(number, raw=True))
    summaries = outputs(redis_text, KEYS.summary)
    assert_tiled(summaries, ids[:-1])
    assert summaries[-1]["final"] == "1"


def test_what_a_killed_worker_had_parked_on_disk_is_removed_and_made_again(
    nursery: Nursery,
    redis: Redis,
    redis_text: Redis,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    parked = tmp_path / "parked"
    environment |= {"WEIR_NUM_ROWS": "2", "WEIR_PARK_DIR": str(parked), "WEIR_PARK_HOST_BYTES": "0"}
    ids = {f"live:{n}": publish(redis, 2, f"live:{n}", end=False) for n in range(4)}
    with forked_worker(nursery, tmp_path / "log", environment) as worker:
        until(lambda: len(list(parked.glob("*/*.safetensors"))) > 1, worker.output)
        ended(worker, signal.SIGKILL)
    left = set(parked.rglob("*"))
    assert any(path.suffix == ".safetensors" for path in left), "nobody has cleared up so far"
    for name, published in ids.items():
        published.append(redis.xadd(name, {"end_of_stream": "1"}).decode())
    command = ["celery", "-A", APP, "worker", "--loglevel=INFO"]
    with running(command, tmp_path / "log", python=PYTHON, **environment) as worker:
        until(
            lambda: all(redis.hget(stream_keys(n).state, "status") == b"closed" for n in ids),
            worker.output,
        )
        assert not left & set(parked.rglob("*")), "gone before the next worker has ended"
        assert worker.end() == 0, worker.output()
    assert list(parked.iterdir()) == []
    for name, expected in ids.items():
        assert column(outputs(redis_text, stream_keys(name).transcript), "entry") == expected


def test_thirty_two_live_streams_all_advance_on_one_worker(
    nursery: Nursery, redis: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    streams = [f"live:{number}" for number in range(32)]
    transcripts = [stream_keys(stream).transcript for stream in streams]
    with forked_worker(nursery, tmp_path / "log", environment) as worker:
        for num_said in (1, 2):  # again while all of them are live
            for stream in streams:
                publish(redis, 1, stream, end=False)
            until(
                lambda: all(redis.xlen(key) == num_said for key in transcripts),  # noqa: B023
                lambda: ([redis.xlen(key) for key in transcripts], worker.output()),
            )
        owners = {redis.get(stream_keys(stream).lease) for stream in streams}
        assert len(owners) == 1
        assert None not in owners
