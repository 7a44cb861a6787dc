"""A worker survives whatever somebody leaves in the queue: each is counted, set aside, and over.

Real workers; the bytes are pushed as any program could.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from tests.system.celery_worker import CeleryWorker, forked_worker, until
from tests.system.messages import ASIDE, BAD, QUEUE, envelope, packed
from tests.system.test_celery import APP, environment, free_port, told
from worker.keyspace.keys import stream_keys

__all__ = ["environment"]  # a fixture


def rejected(port: str) -> dict[str, float]:
    """The worker's own count, by kind."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return {
        sample.labels["reason"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "weir_control_messages_rejected_total"
    }


def wait_for_good_ones(worker: CeleryWorker, redis: Redis) -> None:
    """Messages behind the bad ones are done: one for the worker, and one for a stream's owner."""
    redis.lpush(QUEUE, packed(envelope("adopt", "live:good")))
    redis.lpush(QUEUE, packed(envelope("flush", "live:good", id="good")))
    until(lambda: "adopt live:good" in told(redis), worker.output)
    requests = stream_keys("live:good").requests
    until(lambda: redis.xlen(requests) == 1, worker.output)
    until(lambda: redis.llen(QUEUE) == 0, worker.output)


def test_every_bad_message_is_counted_and_set_aside_and_survived(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    environment["WEIR_METRICS_PORT"] = port = str(free_port())
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        worker.wait_until_ready()
        for _, raw in BAD.values():
            redis.lpush(QUEUE, raw)
        wait_for_good_ones(worker, redis)
        counted = {kind: num for kind, num in rejected(port).items() if num}
        assert counted == Counter(kind for kind, _ in BAD.values())
        assert worker.end() == 0
    aside = [fields for _, fields in redis.xrange(ASIDE)]
    assert [fields[b"reason"].decode() for fields in aside] == [kind for kind, _ in BAD.values()]
    for fields, (_, raw) in zip(aside, BAD.values(), strict=True):
        assert raw.startswith(fields[b"message"])
        assert int(fields[b"bytes"]) == len(raw)
        assert fields[b"detail"] and b"\n" not in fields[b"detail"]
    assert not redis.exists(stream_keys("live:x").state)
    assert "Traceback" not in worker.output()


def test_bad_messages_do_not_end_one_worker_after_the_other(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    """They lie there before the first comes."""
    for _, raw in BAD.values():
        redis.lpush(QUEUE, raw)
    with (
        forked_worker(APP, tmp_path / "one.log", **environment) as one,
        forked_worker(APP, tmp_path / "two.log", **environment) as two,
    ):
        one.wait_until_ready()
        two.wait_until_ready()
        wait_for_good_ones(one, redis)
        assert (one.end(), two.end()) == (0, 0)
    assert redis.xlen(ASIDE) == len(BAD)


def test_what_is_set_aside_is_bounded(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    with redis.pipeline(transaction=False) as pipe:
        for number in range(3000):
            pipe.lpush(QUEUE, f"garbage {number}")
        pipe.execute()
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        wait_for_good_ones(worker, redis)
    assert 1000 <= redis.xlen(ASIDE) < 1300


@pytest.mark.parametrize("key", [ASIDE, "weir:celery:unacked", "weir:celery:unacked_index"])
def test_other_keys_of_the_broker_may_be_anything(
    tmp_path: Path, environment: dict[str, str], redis: Redis, key: str
) -> None:
    redis.set(key, "somebody else's")
    redis.lpush(QUEUE, b"garbage")
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        worker.wait_until_ready()
        wait_for_good_ones(worker, redis)
        assert worker.end() == 0


def test_garbage_among_what_was_taken_and_not_done_is_survived(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    """Where Celery keeps what a worker has in hand."""
    for number, (_, raw) in enumerate(BAD.values()):
        redis.hset("weir:celery:unacked", f"tag{number}", raw[:100_000])
        redis.zadd("weir:celery:unacked_index", {f"tag{number}": 1.0})
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        worker.wait_until_ready()
        wait_for_good_ones(worker, redis)
        assert worker.end() == 0


def test_a_queue_of_a_wrong_type_is_told_and_heals(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    redis.set(QUEUE, "somebody else's")
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        until(lambda: "has a wrong type; delete it" in worker.output(), worker.output)
        redis.delete(QUEUE)
        wait_for_good_ones(worker, redis)
        assert worker.end() == 0
        assert "Traceback" not in worker.output()


def test_what_cannot_be_done_is_set_aside(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    """The stream's own requests are not what they should be."""
    redis.set(stream_keys("live:bad").requests, "somebody else's")
    redis.lpush(QUEUE, packed(envelope("flush", "live:bad", id="bad")))
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        wait_for_good_ones(worker, redis)
        assert worker.end() == 0
    assert [fields[b"reason"] for _, fields in redis.xrange(ASIDE)] == [b"failed"]


def test_messages_with_priorities_are_done_too(
    tmp_path: Path, environment: dict[str, str], redis: Redis
) -> None:
    redis.lpush(f"{QUEUE}\x06\x163", packed(envelope("adopt", "live:urgent")))
    with forked_worker(APP, tmp_path / "worker.log", **environment) as worker:
        until(lambda: "adopt live:urgent" in told(redis), worker.output)
