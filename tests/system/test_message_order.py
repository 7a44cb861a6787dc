"""Control messages are done in the order in which they were sent, once, and none is lost: whatever
the number of workers, and whatever becomes of them.

What was sent is the truth here; what was done is read from the streams' own requests.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.system.celery_worker import CeleryWorker, forked_worker, until
from tests.system.messages import QUEUE, envelope, packed
from tests.system.test_celery import APP, Sender, environment, send
from worker.keyspace.keys import stream_keys

__all__ = ["environment", "send"]  # fixtures


def done(redis: Redis, stream: str) -> list[str]:
    """The ids of what was asked of a stream's owner, in order."""
    entries = redis.xrange(stream_keys(stream).requests)
    return [fields[b"id"].decode() for _, fields in entries]


@pytest.fixture
def workers(tmp_path: Path, environment: dict[str, str]) -> list[CeleryWorker]:
    with ExitStack() as stack:
        started = [
            stack.enter_context(forked_worker(APP, tmp_path / f"{n}.log", **environment))
            for n in range(3)
        ]
        for worker in started:
            worker.wait_until_ready()
        yield started


def test_what_is_sent_on_one_connection_is_done_in_order(
    workers: list[CeleryWorker], redis: Redis, send: Sender
) -> None:
    streams = [f"live:{n}" for n in range(40)]
    sent = {
        stream: [f"{stream} {verb}" for verb in ("ask", "flush", "close")] for stream in streams
    }
    for stream in streams:
        send("ask", stream, "Who speaks?", id=sent[stream][0])
        send("flush", stream, id=sent[stream][1])
        send("close", stream, id=sent[stream][2])
    until(lambda: len(done(redis, streams[-1])) >= 3, workers[0].output)
    until(lambda: redis.llen(QUEUE) == 0, workers[0].output)
    assert {stream: done(redis, stream) for stream in streams} == sent


def test_a_worker_that_is_frozen_holds_nothing_up_and_changes_no_order(
    workers: list[CeleryWorker], redis: Redis, send: Sender
) -> None:
    sent = [f"message {number}" for number in range(6)]
    workers[0].process.send_signal(signal.SIGSTOP)
    for id in sent[:-1]:
        send("flush", "live:a", id=id)
    until(lambda: sent[-2] in done(redis, "live:a"), workers[1].output)
    assert done(redis, "live:a") == sent[:-1]
    workers[0].process.send_signal(signal.SIGCONT)
    send("flush", "live:a", id=sent[-1])
    until(lambda: redis.llen(QUEUE) == 0, workers[0].output)
    until(lambda: sent[-1] in done(redis, "live:a"), workers[0].output)
    for worker in workers:
        assert worker.end() == 0
    assert done(redis, "live:a") == sent


def test_workers_that_are_killed_lose_no_message(workers: list[CeleryWorker], redis: Redis) -> None:
    sent = [f"message {number}" for number in range(600)]
    with redis.pipeline(transaction=False) as pipe:
        for id in sent:
            pipe.lpush(QUEUE, packed(envelope("flush", "live:a", id=id)))
        pipe.execute()
    for num_done, worker in ((50, workers[0]), (250, workers[1])):
        until(lambda least=num_done: len(done(redis, "live:a")) >= least, worker.output)
        worker.kill()
    until(lambda: redis.llen(QUEUE) == 0, workers[2].output)
    until(lambda: sent[-1] in done(redis, "live:a"), workers[2].output)
    assert done(redis, "live:a") == sent


def test_a_server_that_takes_no_writes_loses_no_message(
    workers: list[CeleryWorker], redis: Redis, send: Sender
) -> None:
    """They lie there until they can be done."""
    for worker in workers:
        worker.process.send_signal(signal.SIGSTOP)
    sent = [f"message {number}" for number in range(5)]
    for id in sent:
        send("flush", "live:a", id=id)
    redis.config_set("maxmemory", 1)
    try:
        for worker in workers:
            worker.process.send_signal(signal.SIGCONT)
        until(lambda: "broker: command not allowed" in workers[0].output(), workers[0].output)
        assert len(done(redis, "live:a")) < len(sent)
    finally:
        redis.config_set("maxmemory", 0)
    until(lambda: redis.llen(QUEUE) == 0, workers[0].output)
    assert done(redis, "live:a") == sent
