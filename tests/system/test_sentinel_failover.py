"""A Celery worker that was given sentinels goes on with the new primary, messages included."""

from __future__ import annotations

from pathlib import Path

from tests.system.celery_worker import forked_worker, until
from tests.system.test_celery import APP
from tests.worker.keyspace.watched import Watched
from worker.keyspace.keys import stream_keys


def test_a_worker_goes_on_with_the_new_primary(tmp_path: Path) -> None:
    with Watched(password="one", sentinel_password="two") as watched:  # noqa: S106
        environment = {
            "WEIR_REDIS_URL": watched.url,
            "WEIR_REDIS_PASSWORD": "one",
            "WEIR_SENTINEL_PASSWORD": "two",
            "WEIR_METRICS_PORT": "0",
            "WEIR_DISCOVER_SECONDS": "0.3",
        }
        with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
            worker.wait_until_ready()
            first = watched.primary
            first.kill()
            until(lambda: watched.primary is not first, worker.output)
            with watched.client(watched.primary) as redis:
                redis.xadd("live:after", {"text": "good morning everyone"})
                until(lambda: redis.exists(stream_keys("live:after").lease), worker.output)
            assert worker.end() == 0
            assert "Traceback" not in worker.output()
            assert "one@" not in worker.output()
