"""Rounds of the reconciler, among workers that share a server."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from tests.system.celery_worker import until
from worker.keyspace.registry import Look
from worker.process.reconciler import ROUND_KEY, Reconciler

HOUR = 3600.0


class Worker:
    """One worker's reconciler, and what it sent."""

    def __init__(self, redis: Redis, *unowned: str, interval_seconds: float = HOUR) -> None:
        self.now = 1e6
        self.unowned = list(unowned)
        self.next_seconds: float | None = None
        self.sent: list[str] = []
        self.reconciler = Reconciler(
            redis,
            lambda: Look(list(self.unowned), self.next_seconds),
            self.sent.append,
            interval_seconds=interval_seconds,
            lease_seconds=10,
            clock=lambda: self.now,
        )


def test_every_stream_without_an_owner_is_named(redis: Redis) -> None:
    worker = Worker(redis, "live:a", "live:b")
    assert worker.reconciler.reconcile() == 2
    assert worker.sent == ["live:a", "live:b"]


def test_of_all_workers_one_makes_the_round(redis: Redis) -> None:
    workers = [Worker(redis, "live:a") for _ in range(3)]
    assert [worker.reconciler.reconcile() for worker in workers] == [1, 0, 0]


def test_a_round_s_key_runs_out_before_the_next_round(redis: Redis) -> None:
    Worker(redis, interval_seconds=10).reconciler.reconcile()
    assert 0 < redis.pttl(ROUND_KEY) < 10_000


def test_a_lone_worker_makes_round_after_round(redis: Redis) -> None:
    worker = Worker(redis, "live:a", interval_seconds=0.05)
    worker.reconciler.start()
    until(lambda: len(worker.sent) >= 3, lambda: worker.sent)
    worker.reconciler.stop()
    worker.reconciler.join(10)
    assert not worker.reconciler.is_alive()


def test_a_lease_that_runs_out_before_the_next_round_is_looked_at_when_it_has(redis: Redis) -> None:
    looks = iter([Look([], 0.05), Look(["live:a"])])
    sent: list[str] = []
    reconciler = Reconciler(
        redis,
        lambda: next(looks),
        sent.append,
        interval_seconds=HOUR,
        lease_seconds=10,
    )
    reconciler.start()
    until(lambda: sent, lambda: "named an hour later")
    reconciler.stop()
    reconciler.join(10)


def test_a_second_look_is_no_round_of_its_own(redis: Redis) -> None:
    worker = Worker(redis, "live:a")
    worker.next_seconds = 0.05
    assert worker.reconciler.reconcile() == 1
    worker.next_seconds = None
    assert worker.reconciler.reconcile() == 1  # the second look of the same round
    assert worker.reconciler.reconcile() == 0  # the next one is not due yet


@pytest.mark.parametrize("error", [ConnectionError("gone"), RuntimeError("bug")])
def test_a_round_that_fails_is_made_again(redis: Redis, error: Exception) -> None:
    failures = iter([error])

    def look() -> Look:
        for failure in failures:
            raise failure
        return Look(["live:a"])

    sent: list[str] = []
    reconciler = Reconciler(redis, look, sent.append, interval_seconds=0.05, lease_seconds=1)
    reconciler.start()
    until(lambda: sent, lambda: "no round after the one that failed")
    reconciler.stop()
    reconciler.join(10)


def test_no_stream_is_offered_after_the_server_s_clock_was_put_forward(redis: Redis) -> None:
    """All leases have run out then, by that clock; their owners renew them soon."""
    worker = Worker(redis, "live:a", interval_seconds=0.001)
    assert worker.reconciler.reconcile() == 1
    worker.now -= 3600  # as if the server's had gone an hour further than ours
    assert worker.reconciler.reconcile() == 0
    worker.now += 9.9
    assert worker.reconciler.reconcile() == 0
    worker.now += 0.2
    until(worker.reconciler.reconcile, lambda: "never again")


def test_streams_are_offered_after_the_server_s_clock_was_put_back(redis: Redis) -> None:
    worker = Worker(redis, "live:a", interval_seconds=0.001)
    worker.reconciler.reconcile()
    redis.set(ROUND_KEY, "", px=3_600_000)  # this is what it leaves of the last round
    worker.now += 3600
    assert worker.reconciler.reconcile() == 1
