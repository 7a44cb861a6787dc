"""A worker gives its password to no server that nobody vouches for: not at its start, and not when
somebody steps between later. The one who steps between writes down all that he can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.system.celery_worker import forked_worker, until
from tests.system.test_celery import APP, refused
from tests.worker.keyspace.tls_proxy import Authority, TlsProxy
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys

PASSWORD = "sesame"  # noqa: S105


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        redis.config_set("requirepass", PASSWORD)
        yield server


@pytest.fixture
def redis(server: EmbeddedServer) -> Iterator[Redis]:
    with Redis(port=server.port, password=PASSWORD) as redis:
        redis.flushall()
        yield redis


def environment(proxy: TlsProxy, **more: str) -> dict[str, str]:
    return {
        "WEIR_REDIS_URL": proxy.url(),
        "WEIR_REDIS_PASSWORD": PASSWORD,
        "WEIR_METRICS_PORT": "0",
        "WEIR_DISCOVER_SECONDS": "0.3",
        **more,
    }


def test_a_worker_refuses_a_server_that_nobody_vouches_for(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    context = Authority(tmp_path).server_context()
    with TlsProxy(server.port, context) as proxy:
        line = refused(tmp_path, **environment(proxy))
    assert line.startswith(f"weir: Redis: 127.0.0.1:{proxy.port} shows a certificate that is not")
    assert proxy.read == b""


def test_a_worker_works_over_tls_until_somebody_steps_between(
    tmp_path: Path, server: EmbeddedServer, redis: Redis
) -> None:
    ours, another_s = Authority(tmp_path / "ours"), Authority(tmp_path / "another's")
    good = ours.server_context()
    with TlsProxy(server.port, good) as proxy:
        told = environment(proxy, WEIR_REDIS_CA_FILE=str(ours.file))
        with forked_worker(APP, tmp_path / "worker.log", **told) as worker:
            worker.wait_until_ready()
            redis.xadd("live:a", {"text": "good morning everyone"})
            until(lambda: redis.exists(stream_keys("live:a").lease), worker.output)
            proxy.context, proxy.read = another_s.server_context(), b""
            proxy.drop_all()
            num_before = proxy.num_refused
            until(lambda: proxy.num_refused > num_before + 5, worker.output)
            until(lambda: "Celery's broker: Error" in worker.output(), worker.output)
            assert PASSWORD.encode() not in proxy.read  # it is sent on each new connection
            proxy.context = good
            redis.xadd("live:b", {"text": "good morning again"})
            until(lambda: redis.exists(stream_keys("live:b").lease), worker.output)
            assert worker.end() == 0
