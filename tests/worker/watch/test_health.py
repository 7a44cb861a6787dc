"""`/metrics` and `/healthz` over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter
from redis import Redis

from worker.watch.health import (
    STALE_SECONDS,
    Check,
    HealthServer,
    Heartbeat,
    PortTaken,
    check_redis,
)


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("weir_lines", "Lines.", registry=registry).inc(3)
    return registry


@pytest.fixture
def checks() -> dict[str, Check]:
    return {}


@pytest.fixture
def server(registry: CollectorRegistry, checks: dict[str, Check]) -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0, registry, {"/healthz": checks, "/livez": {}})
    server.start()
    yield server
    server.close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_those_of_the_registry(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "weir_lines_total 3.0" in text


def test_healthy_when_no_check_finds_anything(
    server: HealthServer, checks: dict[str, Check]
) -> None:
    checks["engine"] = lambda: None
    status, text = get(server, "/healthz")
    assert status == 200
    assert json.loads(text) == {"healthy": True, "wrong": {}}


def test_unhealthy_says_what_is_wrong_and_only_that(
    server: HealthServer, checks: dict[str, Check]
) -> None:
    checks.update(engine=lambda: None, redis=lambda: "Redis does not answer")
    status, text = get(server, "/healthz")
    assert status == 503
    assert json.loads(text) == {"healthy": False, "wrong": {"redis": "Redis does not answer"}}


def test_each_page_asks_its_own_checks(server: HealthServer, checks: dict[str, Check]) -> None:
    checks["redis"] = lambda: "Redis does not answer"
    assert get(server, "/healthz")[0] == 503
    assert get(server, "/livez")[0] == 200


def test_other_paths_are_not_found_and_are_told_which_are_here(server: HealthServer) -> None:
    assert get(server, "/") == (404, "here are: /metrics, /healthz, /livez\n")


def test_a_silent_client_does_not_hold_up_the_next(server: HealthServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server, "/metrics")[0] == 200


def test_a_taken_port_is_told_in_one_line(registry: CollectorRegistry) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            HealthServer("127.0.0.1", port, registry, {})
    message = str(caught.value)
    assert f"127.0.0.1:{port}" in message
    assert "WEIR_METRICS_PORT" in message
    assert "\n" not in message


def test_the_port_is_free_again_after_close(registry: CollectorRegistry) -> None:
    first = HealthServer("127.0.0.1", 0, registry, {})
    first.start()
    first.close()
    second = HealthServer("127.0.0.1", first.port, registry, {})
    second.close()


def test_heartbeat_is_wrong_until_it_first_beats() -> None:
    heartbeat = Heartbeat(Clock())
    assert heartbeat.check() == "the engine is still loading"
    heartbeat.beat()
    assert heartbeat.check() is None


def test_heartbeat_goes_stale_and_comes_back() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    heartbeat.beat()
    clock.now += STALE_SECONDS
    assert heartbeat.check() is None
    clock.now += 1
    assert heartbeat.check() == "the engine thread has not gone round for 61 s"
    assert heartbeat.age_seconds() == STALE_SECONDS + 1
    heartbeat.beat()
    assert heartbeat.check() is None


def test_whoever_loads_is_alive_and_whoever_hangs_is_not() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock, stale_seconds=5)
    clock.now += 3600
    assert heartbeat.check_alive() is None
    heartbeat.beat()
    clock.now += 6
    assert heartbeat.check_alive() == "the engine thread has not gone round for 6 s"


def test_a_server_that_is_gone_is_told() -> None:
    with socket.socket() as nobody_listens_here:
        nobody_listens_here.bind(("127.0.0.1", 0))
        gone = Redis(port=nobody_listens_here.getsockname()[1], retry=None)
        reason = check_redis(gone)
    assert reason is not None
    assert reason.startswith("Redis does not answer: ")
