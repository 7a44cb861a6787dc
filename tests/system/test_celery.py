"""Real Celery workers, in processes of their own, against a real server.

Their pipeline only writes down what it is told (recording_app.py), so that each of these takes a
second or two; what the real pipeline makes of it is told in other files.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis import Redis

from tests.system.celery_worker import (
    CeleryWorker,
    celery_worker,
    forked_worker,
    running,
    until,
)
from tests.system.recording_app import FAIL, TOLD, app
from worker.app import make_app
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.workers import WORKERS_KEY
from worker.settings.config import Settings

APP = "tests.system.recording_app"


@pytest.fixture
def environment(redis: Redis, weir_settings: Settings) -> dict[str, str]:
    """What a worker on the test's own empty database is told."""
    return {
        "WEIR_REDIS_URL": weir_settings.redis_url,
        "WEIR_METRICS_PORT": "0",
        "WEIR_DISCOVER_SECONDS": "0.3",
        "WEIR_LEASE_SECONDS": "2",
    }


@pytest.fixture
def worker(tmp_path: Path, environment: dict[str, str]) -> Iterator[CeleryWorker]:
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        worker.wait_until_ready()
        yield worker


@pytest.fixture
def send(weir_settings: Settings) -> Iterator[Sender]:
    with Sender(weir_settings) as sender:
        yield sender


class Sender:
    """Sends control messages as any other program would that has these settings."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_app()
        self._app.settings = settings
        self._connection = self._app.connection_for_write()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.release()

    def __call__(self, name: str, *args: str, id: str | None = None) -> None:
        self._app.send_task(f"weir.{name}", args=args, task_id=id, connection=self._connection)


def told(redis: Redis) -> list[str]:
    return [line.decode() for line in redis.lrange(TOLD, 0, -1)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------ messages


def test_an_adopt_message_reaches_the_pipeline(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    send("adopt", "live:a")
    until(lambda: "adopt live:a" in told(redis), worker.output)


def test_one_message_may_name_several_streams(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    send("adopt", "live:a", "live:b", "live:c")
    until(lambda: len(told(redis)) >= 3, worker.output)
    assert sorted(told(redis)) == ["adopt live:a", "adopt live:b", "adopt live:c"]


def test_a_key_of_our_own_is_never_adopted(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    send("adopt", "weir:{live:a}:transcript")
    send("adopt", "live:a")
    until(lambda: "adopt live:a" in told(redis), worker.output)
    until(lambda: "cannot be an input" in worker.output(), worker.output)
    assert told(redis) == ["adopt live:a"]


def test_a_message_that_comes_twice_makes_one_request(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    for _ in range(2):
        send("flush", "live:a", id="one-and-the-same")
    send("ask", "live:a", "Who speaks?", id="another")
    send("close", "live:a", id="the-last")
    requests = stream_keys("live:a").requests
    until(lambda: redis.xlen(requests) >= 3, worker.output)
    until(lambda: told(redis).count("adopt live:a") == 4, worker.output)
    entries = [fields for _, fields in redis.xrange(requests)]
    assert [(fields[b"id"], fields[b"kind"], fields[b"question"]) for fields in entries] == [
        (b"one-and-the-same", b"flush", b""),
        (b"another", b"ask", b"Who speaks?"),
        (b"the-last", b"close", b""),
    ]


def test_release_is_asked_of_an_owner_and_of_nobody_else(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    send("release", "live:nobodys", id="to-nobody")
    send("adopt", "live:a")
    until(lambda: redis.exists(stream_keys("live:a").lease), worker.output)
    send("release", "live:a", id="to-its-owner")
    requests = stream_keys("live:a").requests
    until(lambda: redis.xlen(requests) == 1, worker.output)
    assert redis.xrange(requests)[0][1][b"kind"] == b"release"
    assert not redis.exists(stream_keys("live:nobodys").requests)


def test_messages_leave_nothing_behind_but_the_queue_s_bindings(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    send("adopt", "live:a")
    until(lambda: "adopt live:a" in told(redis), worker.output)
    assert worker.end() == 0
    ours = {key.decode() for key in redis.scan_iter(match="*")}
    bindings = {key for key in ours if key.startswith("weir:celery:_kombu.binding")}
    left = {TOLD, stream_keys("live:a").state, "weir:reconciler", WORKERS_KEY}
    assert ours - bindings <= left
    assert redis.pttl(WORKERS_KEY) != -1  # the table of workers dies by itself


# ------------------------------------------------------------------ finding streams


def test_a_stream_that_nobody_announced_gets_an_owner(worker: CeleryWorker, redis: Redis) -> None:
    redis.xadd("live:new", {"text": "good morning everyone"})
    until(lambda: redis.exists(stream_keys("live:new").lease), worker.output)


def test_streams_of_a_killed_worker_get_another(
    tmp_path: Path, worker: CeleryWorker, environment: dict[str, str], redis: Redis
) -> None:
    lease = stream_keys("live:a").lease
    redis.xadd("live:a", {"text": "good morning everyone"})
    until(lambda: redis.exists(lease), worker.output)
    first = redis.get(lease)
    with forked_worker(APP, tmp_path / "second.log", **environment) as second:
        second.wait_until_ready()
        worker.kill()
        until(lambda: redis.get(lease) not in (None, first), second.output)


# ------------------------------------------------------------------ the end of a worker


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_worker_that_is_asked_to_end_closes_its_pipeline(
    worker: CeleryWorker, redis: Redis, send: Sender, how: signal.Signals
) -> None:
    send("adopt", "live:a")
    until(lambda: redis.exists(stream_keys("live:a").lease), worker.output)
    # Celery calls an interrupt from the keyboard a failure, in its exit status only.
    assert worker.end(how) == (0 if how is signal.SIGTERM else 1)
    assert told(redis)[-1] == "close"
    assert not redis.exists(stream_keys("live:a").lease)
    assert "Traceback" not in worker.output()


def test_a_bug_in_the_pipeline_ends_the_worker_and_commits_nothing_more(
    worker: CeleryWorker, redis: Redis
) -> None:
    redis.rpush(FAIL, "bug")
    assert worker.wait() == 1
    assert "a bug in the pipeline" in worker.output()
    assert "close" not in told(redis)


def test_a_broken_connection_does_not_end_the_worker(
    worker: CeleryWorker, redis: Redis, send: Sender
) -> None:
    redis.rpush(FAIL, "network", "network", "network")
    until(lambda: redis.llen(FAIL) == 0, worker.output)
    send("adopt", "live:a")
    until(lambda: "adopt live:a" in told(redis), worker.output)
    assert worker.end() == 0
    assert "trying again in" in worker.output()


def test_a_worker_outlives_its_server(tmp_path: Path) -> None:
    with EmbeddedServer(durable=True) as server, Redis(port=server.port) as redis:
        environment = {
            "WEIR_REDIS_URL": server.url,
            "WEIR_METRICS_PORT": str(free_port()),
            "WEIR_DISCOVER_SECONDS": "0.3",
            "WEIR_LEASE_SECONDS": "2",
        }
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            until(lambda: health(environment)[0] == 200, worker.output)
            server.kill()
            until(lambda: health(environment)[0] == 503, worker.output)
            assert "Redis does not answer" in health(environment)[1]["wrong"]["redis"]
            server.start()
            until(lambda: health(environment)[0] == 200, worker.output)
            redis.xadd("live:after", {"text": "good morning everyone"})
            until(lambda: redis.exists(stream_keys("live:after").lease), worker.output)
            assert worker.end() == 0


def test_a_worker_outlives_a_time_without_writes(tmp_path: Path) -> None:
    """The server is full, and then it is made a replica, as in a failover."""
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        environment = {
            "WEIR_REDIS_URL": server.url,
            "WEIR_METRICS_PORT": "0",
            "WEIR_DISCOVER_SECONDS": "0.3",
        }
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            redis.config_set("maxmemory", 1)
            redis.client_kill_filter(_type="normal", skipme=True)  # its queue is declared anew
            until(lambda: "broker: command not allowed" in worker.output(), worker.output)
            redis.config_set("maxmemory", 0)
            redis.replicaof("127.0.0.1", free_port())
            until(lambda: "read only replica.; trying again\n" in worker.output(), worker.output)
            redis.replicaof("NO", "ONE")
            redis.xadd("live:after", {"text": "good morning everyone"})
            until(lambda: redis.exists(stream_keys("live:after").lease), worker.output)
            assert worker.end() == 0
            assert "Traceback" not in worker.output()


def health(environment: dict[str, str]) -> tuple[int, dict[str, dict[str, str]]]:
    url = f"http://127.0.0.1:{environment['WEIR_METRICS_PORT']}/healthz"
    try:
        with urlopen(url, timeout=10) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_worker_may_start_before_its_server(tmp_path: Path) -> None:
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        server.kill()
        environment = {
            "WEIR_REDIS_URL": server.url,
            "WEIR_METRICS_PORT": "0",
            "WEIR_DISCOVER_SECONDS": "0.3",
        }
        with celery_worker(APP, tmp_path / "worker.log", **environment) as worker:
            until(lambda: "Redis does not answer yet" in worker.output(), worker.output)
            server.start()
            redis.xadd("live:a", {"text": "good morning everyone"})
            until(lambda: redis.exists(stream_keys("live:a").lease), worker.output)
            assert worker.end() == 0


def test_a_worker_can_be_ended_while_its_server_is_away(tmp_path: Path) -> None:
    with EmbeddedServer() as server:
        environment = {"WEIR_REDIS_URL": server.url, "WEIR_METRICS_PORT": "0"}
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            server.kill()
            until(lambda: "trying again" in worker.output().lower(), worker.output)
            worker.end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_worker_can_be_ended_while_its_server_hangs(tmp_path: Path, how: signal.Signals) -> None:
    """It takes connections and answers nothing, as after a step of its clock back: then what it
    waits for itself never comes either."""
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        pid = int(redis.info("server")["process_id"])
        environment = {"WEIR_REDIS_URL": server.url, "WEIR_METRICS_PORT": "0"}
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            os.kill(pid, signal.SIGSTOP)
            try:
                until(lambda: "Timeout" in worker.output(), worker.output)
                worker.end(how)
            finally:
                os.kill(pid, signal.SIGCONT)
            assert "did not end" not in worker.output()


def test_a_worker_that_starts_while_its_server_hangs_can_be_ended(tmp_path: Path) -> None:
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        pid = int(redis.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            environment = {"WEIR_REDIS_URL": server.url, "WEIR_METRICS_PORT": "0"}
            with celery_worker(APP, tmp_path / "worker.log", **environment) as worker:
                until(lambda: "does not answer yet" in worker.output(), worker.output)
                worker.end()
        finally:
            os.kill(pid, signal.SIGCONT)


# ------------------------------------------------------------------ refusals


def refused(tmp_path: Path, *arguments: str, **environment: str) -> str:
    """The last line of a worker that ends by itself with a failure."""
    with forked_worker(APP, tmp_path / "worker.log", *arguments, **environment) as worker:
        return refusal_of(worker)


def refusal_of(worker: CeleryWorker, *, status: int = 1) -> str:
    assert worker.wait() == status, worker.output()
    assert "Traceback" not in worker.output()
    return worker.output().strip().splitlines()[-1]


def test_another_pool_is_refused_in_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    line = refused(tmp_path, "--pool=solo", **environment)
    assert line == "weir: --pool=solo: must be threads, the default here; leave it out"


def test_a_wrong_setting_is_refused_in_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    line = refused(tmp_path, **{**environment, "WEIR_NUM_ROWS": "many"})
    assert line.startswith("weir: WEIR_NUM_ROWS='many'")


def test_variables_that_nothing_reads_are_named(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Those of `weir`'s other commands are not this worker's business."""
    environment |= {"WEIR_POOL": "x", "WEIR_PUBLISH_RATE": "2", "WEIR_NUM_ROWS": "many"}
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        refusal_of(worker)
        assert worker.output().count("is no setting and is passed over") == 1
        assert "weir: WEIR_POOL is no setting" in worker.output()


def test_a_taken_port_is_refused_in_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        line = refused(tmp_path, **{**environment, "WEIR_METRICS_PORT": port})
    assert line.startswith(f"weir: metrics server: cannot listen on 127.0.0.1:{port}")


def test_weir_worker_refuses_as_celery_does(tmp_path: Path, environment: dict[str, str]) -> None:
    command = ["worker", "worker"]
    environment |= {"WEIR_METRICS_HOST": "192.0.2.1", "WEIR_METRICS_PORT": "9464"}
    with running(command, tmp_path / "worker.log", **environment) as worker:
        line = refusal_of(worker, status=2)  # as all of `weir` says that it was asked for wrongly
    assert line.startswith("weir: metrics server: cannot listen on 192.0.2.1:9464")


def test_a_wrong_password_is_refused_in_one_line(tmp_path: Path) -> None:
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        redis.config_set("requirepass", "correct")
        environment = {"WEIR_REDIS_URL": server.url, "WEIR_METRICS_PORT": "0"}
        for password in ({}, {"WEIR_REDIS_PASSWORD": "wrong"}):
            line = refused(tmp_path, **environment, **password)
            assert line.startswith("weir: Redis: ")
            assert "WEIR_REDIS_PASSWORD" in line


# ------------------------------------------------------------------ configuration


def test_celery_is_configured_as_a_hint_carrier(weir_settings: Settings) -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.broker_connection_max_retries is None  # for ever
    assert app.conf.accept_content == ["json"]
    assert app.conf.worker_pool == "threads"
    assert app.conf.result_backend is None
    assert {name for name in app.tasks if name.startswith("weir.")} == {
        f"weir.{verb}" for verb in ("adopt", "release", "flush", "ask", "close")
    }
