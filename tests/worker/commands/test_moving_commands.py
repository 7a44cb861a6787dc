"""`weir drain` and `weir streams --move`: orders for workers, and waiting until they are done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from worker.keyspace.keys import stream_keys
from worker.keyspace.workers import Order, Workers

GIVER, RECEIVER = "alpha:11:aaaaaaaa", "beta:22:bbbbbbbb"
KEY = "live:standup"
Weir = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workers(redis: Redis) -> Workers:
    workers = Workers(redis)
    for name in (GIVER, RECEIVER):
        workers.report(name, {"streams": 1, "places": 8})
    redis.xadd(KEY, {"text": "Good morning."})
    return workers


@contextmanager
def playing(workers: Workers, redis: Redis) -> Iterator[list[tuple[str, Order]]]:
    """Both workers, in a thread: they do what they are ordered."""
    seen: list[tuple[str, Order]] = []
    is_over = threading.Event()

    def play() -> None:
        while not is_over.is_set():
            for name in (GIVER, RECEIVER):
                order = workers.next_order(name, timeout_seconds=0.01)
                if order:
                    seen.append((name, order))
                    obey(name, order)

    def obey(name: str, order: Order) -> None:
        if order.verb == "drain":
            workers.report(name, {"streams": 0, "places": 0})
        else:
            redis.set(stream_keys(KEY).lease, order.worker or name, px=60_000)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def test_a_stream_is_moved_by_its_owner(workers: Workers, redis: Redis, weir: Weir) -> None:
    redis.set(stream_keys(KEY).lease, GIVER, px=60_000)
    with playing(workers, redis) as seen:
        assert weir("streams", "--move", KEY, "beta:22") == (0, f"{KEY} is with beta:22\n", "")
    assert seen == [(GIVER, Order("give", KEY, RECEIVER))]


def test_a_stream_without_an_owner_is_taken(workers: Workers, redis: Redis, weir: Weir) -> None:
    with playing(workers, redis) as seen:
        assert weir("streams", "--move", KEY, RECEIVER)[0] == 0
    assert seen == [(RECEIVER, Order("take", KEY))]


def test_a_worker_is_drained(workers: Workers, redis: Redis, weir: Weir) -> None:
    with playing(workers, redis) as seen:
        code, said, _ = weir("drain", "alpha:11")
    assert code == 0
    assert "alpha:11 has no streams" in said
    assert seen == [(GIVER, Order("drain"))]
    assert weir("drain", "alpha:11", "--undo")[0] == 0
    assert workers.next_order(GIVER, timeout_seconds=1) == Order("undrain")


def test_the_last_worker_cannot_be_drained(redis: Redis, weir: Weir) -> None:
    Workers(redis).report(GIVER, {"streams": 3, "places": 8})
    code, _, error = weir("drain", "alpha:11")
    assert code == 2
    assert "start one first" in error


@pytest.mark.parametrize("command", [["drain", "gamma:1"], ["streams", "--move", KEY, "gamma:1"]])
def test_a_worker_that_there_is_not_is_one_line_that_names_those_that_there_are(
    workers: Workers, weir: Weir, command: list[str]
) -> None:
    assert len(workers.all()) == 2
    code, _, error = weir(*command)
    assert code == 2
    assert error.count("\n") == 1
    assert "alpha:11, beta:22" in error
