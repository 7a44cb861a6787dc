"""A server's clock that is moved is noticed, and leases outlast no step of it.

Ours is moved here instead: only the difference of the two is known to anybody.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases, seconds_left, take_turn
from worker.keyspace.server_clock import ServerClock

LEASE_SECONDS = 10.0
HOUR_MS = 3_600_000


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_is_noticed_once(redis: Redis, step: float) -> None:
    clock = Clock()
    server = ServerClock(redis, clock)
    assert server.moved_seconds() == 0
    clock.now -= step
    assert server.moved_seconds() == pytest.approx(step, abs=5)
    assert server.moved_seconds() == pytest.approx(0, abs=5)


class Network:
    """A server whose clock goes as ours does, and answers that take their time."""

    def __init__(self, delays: list[float]) -> None:
        self.now = 5000.0
        self._delays = iter(delays)

    def time(self) -> tuple[int, int]:
        self.now += next(self._delays)
        answer = divmod(int((self.now + 1e9) * 1e6), 1_000_000)
        self.now += next(self._delays)
        return answer


@given(delays=st.lists(st.floats(0, 100), min_size=10, max_size=10))
def test_an_answer_that_takes_long_is_no_step(delays: list[float]) -> None:
    network = Network(delays)
    server = ServerClock(network, lambda: network.now)  # type: ignore[arg-type]
    assert all(abs(server.moved_seconds()) < 1e-3 for _ in range(5))


@pytest.fixture
def leases(redis: Redis) -> Leases:
    return Leases(redis, "me", lease_seconds=LEASE_SECONDS)


def test_a_lease_that_the_clock_made_longer_is_cut_to_its_length(
    redis: Redis, leases: Leases
) -> None:
    """Its owner died, and the clock was put back by an hour."""
    leases.acquire("live:a")
    lease = stream_keys("live:a").lease
    redis.pexpire(lease, HOUR_MS)
    left = seconds_left(redis, ["live:a"], usual_seconds=LEASE_SECONDS)["live:a"]
    assert left is not None and 0 < left <= LEASE_SECONDS
    assert 0 < redis.pttl(lease) <= LEASE_SECONDS * 1000


def test_a_lease_without_an_end_gets_one(redis: Redis, leases: Leases) -> None:
    leases.acquire("live:a")
    lease = stream_keys("live:a").lease
    redis.persist(lease)
    left = seconds_left(redis, ["live:a"], usual_seconds=LEASE_SECONDS)["live:a"]
    assert left is not None and 0 < left <= LEASE_SECONDS
    assert 0 < redis.pttl(lease) <= LEASE_SECONDS * 1000


def test_a_worker_with_longer_leases_keeps_them(redis: Redis) -> None:
    Leases(redis, "patient", lease_seconds=60).acquire("live:a")
    seconds_left(redis, ["live:a"], usual_seconds=LEASE_SECONDS)
    assert redis.pttl(stream_keys("live:a").lease) > 50_000


def test_a_stream_without_a_lease_has_no_time_left(redis: Redis) -> None:
    assert seconds_left(redis, ["live:b"], usual_seconds=LEASE_SECONDS) == {"live:b": None}


@pytest.mark.parametrize("left_ms", [HOUR_MS, None])
def test_a_turn_that_the_clock_made_longer_is_over(redis: Redis, left_ms: int | None) -> None:
    assert take_turn(redis, "weir:test", seconds=2)
    assert not take_turn(redis, "weir:test", seconds=2)
    redis.set("weir:test", "", px=left_ms)
    assert take_turn(redis, "weir:test", seconds=2)
    assert redis.pttl("weir:test") <= 2000
