"""Rounds of the reconciler, among workers that share a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from redis import Redis
from redis.exceptions import ConnectionError

from tests.system.celery_worker import until
from worker.keyspace.registry import Look
from worker.process.reconciler import (
    LONG_NAME,
    MOST_MESSAGES,
    MOST_STREAMS,
    PAUSES,
    ROUND_KEY,
    Reconciler,
    offers,
)

HOUR = 3600.0


class Worker:
    """One worker's reconciler, and what it sent."""

    def __init__(
        self,
        redis: Redis,
        *unowned: str,
        interval_seconds: float = HOUR,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.now = 1e6
        self.unowned = list(unowned)
        self.seconds_left: dict[str, float] = {}
        self.look_seconds = 0.0
        self.sent: list[str] = []
        self.looked_at: list[Sequence[str] | None] = []
        self.reconciler = Reconciler(
            redis,
            self._look,
            self.sent.extend,
            interval_seconds=interval_seconds,
            lease_seconds=10,
            clock=clock or (lambda: self.now),
        )

    def _look(self, streams: Sequence[str] | None) -> Look:
        self.looked_at.append(streams)
        self.now += self.look_seconds
        return Look(list(self.unowned), self.seconds_left)


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
    worker = Worker(redis, "live:a", interval_seconds=0.05, clock=time.monotonic)
    worker.reconciler.start()
    until(lambda: len(worker.sent) >= 3, lambda: worker.sent)
    worker.reconciler.stop()
    worker.reconciler.join(10)
    assert not worker.reconciler.is_alive()


def test_a_lease_that_runs_out_before_the_next_round_is_looked_at_when_it_has(redis: Redis) -> None:
    looks = iter([Look([], {"live:a": 0.05}), Look(["live:a"])])
    sent: list[str] = []
    reconciler = Reconciler(
        redis,
        lambda _: next(looks),
        sent.extend,
        interval_seconds=HOUR,
        lease_seconds=10,
    )
    reconciler.start()
    until(lambda: sent, lambda: "named an hour later")
    reconciler.stop()
    reconciler.join(10)


def test_a_second_look_is_no_round_of_its_own(redis: Redis) -> None:
    worker = Worker(redis, "live:a")
    worker.seconds_left = {"live:b": 0.05, "live:c": 9.0}
    assert worker.reconciler.reconcile() == 1
    worker.seconds_left = {}
    assert worker.reconciler.reconcile() == 1  # the second look of the same round
    assert worker.reconciler.reconcile() == 0  # the next one is not due yet
    assert worker.looked_at == [None, ["live:b"]]  # a lease that was renewed lately is no news


def test_leases_that_run_out_do_not_put_off_the_next_round(redis: Redis) -> None:
    worker = Worker(redis, interval_seconds=2)
    worker.seconds_left = {"live:b": 1.5}
    for _ in range(4):
        worker.reconciler.reconcile()
        redis.delete(ROUND_KEY)  # its time is over, by the server's clock
        worker.now += 1.5
    assert worker.looked_at == [None, ["live:b"], None, ["live:b"]]


def test_a_round_that_takes_long_is_followed_by_a_long_pause_for_all_workers(redis: Redis) -> None:
    slow, other = (Worker(redis, "live:a", interval_seconds=2) for _ in range(2))
    slow.look_seconds = 10
    assert slow.reconciler.reconcile() == 1
    assert 2_000 * 8 < redis.pttl(ROUND_KEY) < 1_000 * 10 * PAUSES
    assert other.reconciler.reconcile() == 0
    slow.now += 10 * PAUSES - 1
    assert slow.reconciler.reconcile() == 0
    redis.delete(ROUND_KEY)
    slow.now += 1
    assert slow.reconciler.reconcile() == 1


@pytest.mark.parametrize("num", [0, 1, 7, 8, 9, 100, 512, 513, 10_000])
def test_every_stream_is_in_one_of_few_messages(num: int) -> None:
    names = [f"live:{number}" for number in range(num)]
    made = offers(names)
    assert sorted(name for streams in made for name in streams) == sorted(names)
    assert all(0 < len(streams) <= MOST_STREAMS for streams in made)
    assert len(made) <= max(MOST_MESSAGES, num / MOST_STREAMS + 1)
    assert num > MOST_MESSAGES or len(made) == num  # few streams may have a worker each


def test_a_long_name_shares_its_message_with_nobody() -> None:
    long = "live:" + LONG_NAME * "x"
    assert offers(["live:a", long, "live:b"]) == [[long], ["live:a"], ["live:b"]]


@pytest.mark.parametrize("error", [ConnectionError("gone"), RuntimeError("bug")])
def test_a_round_that_fails_is_made_again(redis: Redis, error: Exception) -> None:
    failures = iter([error])

    def look(_streams: Sequence[str] | None) -> Look:
        for failure in failures:
            raise failure
        return Look(["live:a"])

    sent: list[str] = []
    reconciler = Reconciler(redis, look, sent.extend, interval_seconds=0.05, lease_seconds=1)
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
    worker.now += 0.1

    def round_is_made() -> int:
        worker.now += 0.002
        return worker.reconciler.reconcile()

    until(round_is_made, lambda: "never again")


def test_streams_are_offered_after_the_server_s_clock_was_put_back(redis: Redis) -> None:
    worker = Worker(redis, "live:a", interval_seconds=0.001)
    worker.reconciler.reconcile()
    redis.set(ROUND_KEY, "", px=3_600_000)  # this is what it leaves of the last round
    worker.now += 3600
    assert worker.reconciler.reconcile() == 1
