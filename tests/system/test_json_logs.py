"""A worker told so logs nothing but JSON, and says which stream a line is about.

What Celery says to a terminal (to who is root, at an order to end) is no log, and stays as it is.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from redis import Redis

from tests.system.celery_worker import forked_worker, until
from tests.system.test_celery import APP
from tests.worker.workbench import STREAM, Workbench, publish, settings_for
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.settings.config import Settings
from worker.watch.logs import set_format


def test_every_line_of_a_worker_is_json(tmp_path: Path) -> None:
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        told = {
            "WEIR_REDIS_URL": server.url,
            "WEIR_METRICS_PORT": "0",
            "WEIR_DISCOVER_SECONDS": "0.3",
            "WEIR_LOG_FORMAT": "json",
        }
        with forked_worker(APP, tmp_path / "worker.log", **told) as worker:
            worker.wait_until_ready()
            redis.xadd("live:a", {"text": "good morning"})
            until(lambda: redis.exists(stream_keys("live:a").lease), worker.output)
            assert worker.end() == 0
        written = worker.output().splitlines()
        lines = [json.loads(line) for line in written if line.startswith("{")]
    assert not [line for line in written if re.match(r"\[\d{4}-|\d{4}-", line)]  # text
    assert "-------------- celery@" not in "".join(written)
    assert any(line["message"].endswith(" ready.") for line in lines)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[StringIO]:
    """What the worker's own part writes meanwhile."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("worker")
    logger.addHandler(handler)
    set_format(logger, "json")
    caplog.set_level(logging.INFO, "worker")
    yield out
    logger.removeHandler(handler)


def test_what_is_said_of_a_stream_names_it_with_epoch_and_entry(
    redis: Redis, weir_settings: Settings, tmp_path: Path, lines: StringIO
) -> None:
    bench = Workbench(settings_for(weir_settings.redis_url, tmp_path))
    last = publish(redis, 3)[-1]
    bench.run_to_end()
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    [owned] = [line for line in said if "owned, epoch" in line["message"]]
    assert (owned["stream"], owned["epoch"], owned["entry"]) == (STREAM, 1, "0-0")
    [ended] = [line for line in said if "it has ended" in line["message"]]
    assert (ended["stream"], ended["epoch"], ended["entry"]) == (STREAM, 1, last)
