"""Workers that hang: they end by themselves, with a failure and the reason, for a supervisor to
start them anew. Processes of their own, with a real server; how long it takes is no matter here.

The limits are long enough for a machine with eight times as much to do as it can: there a worker
that does not hang is kept waiting for seconds, too. To wait for them costs nothing.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis import Redis

from tests.system.celery_worker import CeleryWorker, forked_worker, until
from tests.system.recording_app import FAIL
from worker.keyspace.embedded import free_port
from worker.keyspace.keys import stream_keys
from worker.settings.config import Settings

APP = "tests.system.recording_app"
HUNG_SECONDS = "6"


@contextmanager
def worker_with(
    settings: Settings, folder: Path, **more: str
) -> Iterator[tuple[CeleryWorker, dict[str, str]]]:
    environment = {
        "WEIR_REDIS_URL": settings.redis_url,
        "WEIR_METRICS_PORT": str(free_port()),
        "WEIR_DISCOVER_SECONDS": "0.3",
        "WEIR_LEASE_SECONDS": "6",
        **more,
    }
    with forked_worker(APP, folder / "worker.log", **environment) as worker:
        worker.wait_until_ready()
        yield worker, environment


def page(environment: dict[str, str], path: str) -> tuple[int, dict[str, str]]:
    """Its status, and what is wrong."""
    url = f"http://127.0.0.1:{environment['WEIR_METRICS_PORT']}{path}"
    try:
        with urlopen(url, timeout=10) as reply:
            return reply.status, json.load(reply)["wrong"]
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["wrong"]


def has_hung(redis: Redis, worker: CeleryWorker) -> None:
    until(lambda: redis.llen(FAIL) == 0, worker.output)


@pytest.mark.parametrize("how", ["hang", "hold"])
def test_a_worker_whose_engine_hangs_ends_itself_and_says_where_it_hung(
    redis: Redis, weir_settings: Settings, tmp_path: Path, how: str
) -> None:
    """hold: in native code that keeps the interpreter, so that no other thread of it runs."""
    with worker_with(weir_settings, tmp_path, WEIR_HUNG_SECONDS=HUNG_SECONDS) as (worker, _):
        redis.rpush(FAIL, how)
        assert worker.wait() == 1
        assert "recording_app.py" in worker.output()
        assert "in run_once" in worker.output()
        if how == "hang":
            assert "(WEIR_HUNG_SECONDS): this worker ends" in worker.output()


def test_a_worker_that_hangs_is_neither_alive_nor_ready(
    redis: Redis, weir_settings: Settings, tmp_path: Path
) -> None:
    """The next sign of either comes in half of the time after which it ends itself."""
    with worker_with(weir_settings, tmp_path, WEIR_HUNG_SECONDS="20") as (worker, environment):
        until(lambda: page(environment, "/readyz") == (200, {}), worker.output)
        assert page(environment, "/livez") == (200, {})
        redis.rpush(FAIL, "hang")
        has_hung(redis, worker)
        until(lambda: page(environment, "/livez")[0] == 503, worker.output)
        assert "has not gone round" in page(environment, "/readyz")[1]["engine"]


def test_a_worker_that_hangs_is_ended_by_a_signal_all_the_same(
    redis: Redis, weir_settings: Settings, tmp_path: Path
) -> None:
    limits = {"WEIR_HUNG_SECONDS": "0", "WEIR_STOP_SECONDS": "6"}
    with worker_with(weir_settings, tmp_path, **limits) as (worker, _):
        redis.rpush(FAIL, "hang")
        has_hung(redis, worker)
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: "Warm shutdown" in worker.output(), worker.output)
        assert worker.wait() == 1
        assert "did not end in 6 s (WEIR_STOP_SECONDS)" in worker.output()


def test_the_streams_of_a_worker_that_hung_get_another(
    redis: Redis, weir_settings: Settings, tmp_path: Path
) -> None:
    lease = stream_keys("live:a").lease
    redis.xadd("live:a", {"text": "good morning everyone"})
    with worker_with(weir_settings, tmp_path, WEIR_HUNG_SECONDS=HUNG_SECONDS) as (first, _):
        until(lambda: redis.exists(lease), first.output)
        owner = redis.get(lease)
        redis.rpush(FAIL, "hang")
        assert first.wait() == 1
    (tmp_path / "second").mkdir()
    with worker_with(weir_settings, tmp_path / "second") as (second, _):
        until(lambda: redis.get(lease) not in (None, owner), second.output)
        assert second.end() == 0
