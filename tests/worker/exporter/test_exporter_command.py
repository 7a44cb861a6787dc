"""`weir exporter` as Prometheus meets it: over HTTP, while the server comes and goes."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from redis import Redis

from tests.forks import PYTHON
from tests.system.celery_worker import CeleryWorker, running, until
from worker.cli import main
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.inputs import marked

READING = ("scan", "info", "hmget", "type", "exists", "xrange", "xrevrange", "evalsha", "time")
READING += ("xinfo|stream", "xinfo|groups", "xinfo|consumers")


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(durable=True) as server:
        yield server


@pytest.fixture
def exporter(server: EmbeddedServer, tmp_path: Path) -> Iterator[CeleryWorker]:
    told = {"WEIR_REDIS_URL": server.url, "PYTHONUNBUFFERED": "1"}
    command = ["worker", "exporter", "--port", "0"]
    with running(command, tmp_path / "log", python=PYTHON, **told) as process:
        until(lambda: "/metrics" in process.output(), process.output)
        yield process


def served(exporter: CeleryWorker) -> dict[str, float]:
    """The series without labels, as they are now."""
    [address] = re.findall(r"http://\S+", exporter.output())
    with urlopen(address, timeout=10) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    return {name: float(v) for name, _, v in (line.partition(" ") for line in lines) if name != "#"}


def test_figures_are_of_now_or_absent(server: EmbeddedServer, exporter: CeleryWorker) -> None:
    with Redis(port=server.port) as redis:
        redis.xadd("live:a", {"text": "hi"})
        assert served(exporter)["weir_unread_entries"] == 1
        redis.xadd("live:a", {"text": "hi"})
        assert served(exporter)["weir_unread_entries"] == 2
    server.kill()
    for _ in range(3):
        assert served(exporter) == {"weir_redis_up": 0}
    assert exporter.output().count("no Redis answers") == 1  # it is no news at each scrape
    server.start()
    assert served(exporter)["weir_unread_entries"] == 2
    assert "Redis answers again" in exporter.output()


def test_a_server_that_hangs_is_away(server: EmbeddedServer, exporter: CeleryWorker) -> None:
    with Redis(port=server.port) as redis:
        pid = redis.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert served(exporter) == {"weir_redis_up": 0}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_user_who_may_not_look_gets_no_figures(
    server: EmbeddedServer, exporter: CeleryWorker
) -> None:
    """Some of the commands refused must not be told as streams that are not there."""
    with Redis(port=server.port) as redis:
        redis.xadd("live:a", {"text": "hi"})
        assert marked(redis, "live:a")  # as its first owner does
        for command in READING:
            redis.acl_setuser("default", enabled=True, commands=["+@all", f"-{command}"])
            assert served(exporter) == {"weir_redis_up": 0}, command
            assert "no permissions" in exporter.output()
            redis.acl_setuser("default", enabled=True, commands=["+@all"])
            assert served(exporter)["weir_unread_entries"] == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(exporter: CeleryWorker, how: signal.Signals) -> None:
    assert exporter.end(how) == 0


def test_a_port_that_is_taken_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["exporter", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"weir exporter: --port={port}: cannot listen on 127.0.0.1: ")
    assert said.count("\n") == 1
