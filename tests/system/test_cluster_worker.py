"""A Celery worker whose streams are on a Redis Cluster, and whose messages are not."""

from __future__ import annotations

from pathlib import Path

from redis import Redis, RedisCluster

from tests.system.celery_worker import forked_worker, until
from tests.system.test_celery import APP, refused
from tests.worker.keyspace.clustered import Clustered, port_of
from worker.keyspace.keys import cluster_slot, stream_keys
from worker.settings.config import Settings

STREAMS = ("live:1", "live:2", "live:3")


def test_streams_of_all_nodes_are_offered_and_owned(
    tmp_path: Path, redis: Redis, weir_settings: Settings
) -> None:
    with (
        Clustered() as cluster,
        RedisCluster(host="127.0.0.1", port=port_of(cluster.nodes[0])) as theirs,
    ):
        assert {cluster.owner(cluster_slot(stream)) for stream in STREAMS} == {*cluster.nodes}
        environment = {
            "WEIR_REDIS_URL": cluster.url,
            "WEIR_METRICS_PORT": "0",
            "WEIR_DISCOVER_SECONDS": "0.3",
        }
        assert "set WEIR_BROKER_URL to it" in refused(tmp_path, **environment)
        environment["WEIR_BROKER_URL"] = weir_settings.redis_url
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            for stream in STREAMS:
                theirs.xadd(stream, {"text": "good morning everyone"})
            for stream in STREAMS:
                until(lambda s=stream: theirs.exists(stream_keys(s).lease), worker.output)
            assert worker.end() == 0
            assert "Traceback" not in worker.output()
        assert not redis.keys("weir:{*")
