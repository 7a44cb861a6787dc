"""One owner at a time; the epoch only rises; only the latest epoch may renew or release."""

from __future__ import annotations

import pytest
from redis import Redis

from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Lease, Leases

KEYS = stream_keys("live:a")


@pytest.fixture
def ana(redis: Redis) -> Leases:
    return Leases(redis, "ana", lease_seconds=10)


@pytest.fixture
def ben(redis: Redis) -> Leases:
    return Leases(redis, "ben", lease_seconds=10)


def run_out(redis: Redis) -> None:
    """What the server does when the time to live is over."""
    assert redis.delete(KEYS.lease) == 1


def take(leases: Leases) -> Lease:
    lease = leases.acquire("live:a")
    assert lease is not None
    return lease


def test_the_first_to_come_has_it(ana: Leases, ben: Leases) -> None:
    assert ana.acquire("live:a") == Lease("live:a", "ana", epoch=1)
    assert ben.acquire("live:a") is None


def test_asking_again_gives_the_same_lease(ana: Leases) -> None:
    assert ana.acquire("live:a") == ana.acquire("live:a")


def test_a_lease_runs_out_by_itself(redis: Redis, ana: Leases) -> None:
    take(ana)
    assert 0 < redis.pttl(KEYS.lease) <= 10_000


def test_a_takeover_raises_the_epoch(redis: Redis, ana: Leases, ben: Leases) -> None:
    take(ana)
    run_out(redis)
    assert ben.acquire("live:a") == Lease("live:a", "ben", epoch=2)


def test_renewing_starts_the_time_anew(redis: Redis, ana: Leases) -> None:
    lease = take(ana)
    redis.pexpire(KEYS.lease, 100)
    assert ana.renew({lease: 0}) == {}
    assert redis.pttl(KEYS.lease) > 1000


def test_a_lease_that_ran_out_is_renewed_while_nobody_else_came(
    redis: Redis, ana: Leases, ben: Leases
) -> None:
    lease = take(ana)
    run_out(redis)
    assert ana.renew({lease: 0}) == {}
    assert ben.acquire("live:a") is None


def test_a_lost_lease_is_not_renewed(redis: Redis, ana: Leases, ben: Leases) -> None:
    lease = take(ana)
    run_out(redis)
    take(ben)
    assert ana.renew({lease: 0}) == {lease: "taken"}
    assert redis.get(KEYS.lease) == b"ben"


def test_release_lets_another_in_at_once(ana: Leases, ben: Leases) -> None:
    ana.release(take(ana))
    assert take(ben).epoch > 1


def test_a_released_lease_is_not_renewed(ana: Leases) -> None:
    lease = take(ana)
    ana.release(lease)
    assert ana.renew({lease: 0}) == {lease: "taken"}


def test_releasing_a_lost_lease_leaves_the_new_one_alone(
    redis: Redis, ana: Leases, ben: Leases
) -> None:
    lost = take(ana)
    run_out(redis)
    held = take(ben)
    ana.release(lost)
    assert ben.renew({held: 0}) == {}
    assert redis.get(KEYS.lease) == b"ben"


def test_an_older_lease_of_the_same_owner_is_no_good(redis: Redis, ana: Leases) -> None:
    older = take(ana)
    run_out(redis)
    younger = take(ana)
    ana.release(older)
    assert ana.renew({older: 0}) == {older: "taken"}
    assert ana.renew({younger: 0}) == {}


def test_no_renewal_without_a_state(redis: Redis, ana: Leases) -> None:
    lease = take(ana)
    redis.delete(KEYS.state, KEYS.lease)
    assert ana.renew({lease: 0}) == {lease: "taken"}
    assert not redis.exists(KEYS.lease)


def test_a_server_that_has_lost_commits_is_found_out(redis: Redis, ana: Leases) -> None:
    lease = take(ana)
    redis.hset(KEYS.state, "num_commits", 4)
    assert ana.renew({lease: 4}) == {}
    assert ana.renew({lease: 3}) == {}, "the reply to the last commit was lost"
    assert ana.renew({lease: 5}) == {lease: "older"}


def test_an_epoch_that_is_given_twice_is_one_owner_s(
    redis: Redis, ana: Leases, ben: Leases
) -> None:
    """The server has lost that ana took the stream, and her name is not the one of its epoch."""
    lost = take(ana)
    redis.delete(KEYS.lease, KEYS.state)
    held = take(ben)
    assert lost.epoch == held.epoch
    assert ana.renew({lost: 0}) == {lost: "taken"}
    ana.release(lost)
    assert ben.renew({held: 0}) == {}
    assert redis.get(KEYS.lease) == b"ben"


def test_a_lease_without_its_state_is_taken_anew(redis: Redis, ana: Leases) -> None:
    take(ana)
    redis.delete(KEYS.state)
    assert ana.renew({take(ana): 0}) == {}
