"""Streams move between workers: whole, at once, and no further than they must."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from tests.worker.workbench import (
    Workbench,
    assert_tiled,
    column,
    outputs,
    publish,
    sentence,
    settings_for,
)
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import is_owned
from worker.keyspace.workers import Order, Workers
from worker.process.balancer import Balancer
from worker.settings.config import Settings

NUM_ENTRIES = 24


class Desk:
    """A workbench with a balancer beside it, as a process has both."""

    def __init__(self, url: str, redis: Redis, folder: Path, *, num_places: int = 64):
        settings = settings_for(url, folder, max_streams=num_places, num_rows=24)
        self.bench = Workbench(settings)
        self.workers = Workers(redis)
        self.balancer = Balancer(
            self.bench.pipeline.moving,
            self.workers,
            num_places=num_places,
            staying_seconds=0.0,
            clock=lambda: self.bench.now,
        )

    @property
    def owner(self) -> str:
        return self.bench.pipeline.moving.owner

    @property
    def names(self) -> set[str]:
        return set(self.bench.streams)

    def turn(self, *, after: float = 1.0) -> None:
        """What a second brings: orders that came, a turn, and rounds of the pipeline."""
        self.bench.now += after
        while order := self.workers.next_order(self.owner, timeout_seconds=0.01):
            self.balancer._carry_out(order)
        self.balancer.turn()
        self.bench.run(3)


@pytest.fixture
def desks(weir_settings: Settings, redis: Redis, tmp_path: Path) -> list[Desk]:
    return [Desk(weir_settings.redis_url, redis, tmp_path) for _ in range(3)]


def adopt_all(desk: Desk, names: list[str]) -> None:
    for name in names:
        desk.bench.pipeline.adopt(name)
    desk.bench.run(5)
    assert desk.names == set(names)


def turns(desks: list[Desk], number: int) -> None:
    for _ in range(number):
        for desk in desks:
            desk.turn()


def test_a_worker_that_joins_takes_its_share_of_busy_streams(
    desks: list[Desk], redis: Redis
) -> None:
    names = [f"live:{number}" for number in range(12)]
    for name in names:
        publish(redis, 1, name, end=False)
    adopt_all(desks[0], names)
    turns(desks[:2], 6)
    assert [len(desk.names) for desk in desks[:2]] == [6, 6]
    before = [desk.names for desk in desks[:2]]
    turns(desks, 5)
    assert [len(desk.names) for desk in desks] == [4, 4, 4]
    assert all(desk.names <= names for desk, names in zip(desks, before, strict=False))
    rested = [desk.names for desk in desks]
    turns(desks, 3)
    assert [desk.names for desk in desks] == rested


def test_what_moves_again_and_again_comes_out_as_if_it_had_stayed(
    desks: list[Desk], redis: Redis, redis_text: Redis
) -> None:
    streams = {"live:moves": desks[:2], "live:stays": desks[2:]}
    for name, its_desks in streams.items():
        its_desks[0].bench.pipeline.adopt(name)
        ids = []
        for number in range(NUM_ENTRIES):
            ids.append(redis.xadd(name, {"text": sentence(number), "speaker": "Ann"}).decode())
            for desk in its_desks:
                desk.bench.run(1 + number % 3)
            if number % 4 == 3:
                hand_over(name, its_desks)
        last = {"text": sentence(NUM_ENTRIES), "speaker": "Ann", "end_of_stream": "1"}
        ids.append(redis.xadd(name, last).decode())  # type: ignore[arg-type]
        for desk in its_desks:
            desk.bench.run(until=lambda desk=desk, name=name: name not in desk.names)
        assert_tiled(outputs(redis_text, stream_keys(name).summary), ids)
    moved, stayed = (outputs(redis_text, stream_keys(name).transcript) for name in streams)
    assert column(moved, "text") == column(stayed, "text")
    assert column(moved, "text") == [sentence(number) for number in range(NUM_ENTRIES + 1)]


def hand_over(name: str, desks: list[Desk]) -> None:
    """From whoever has it to the other, if there is another."""
    for giver, receiver in zip(desks, reversed(desks), strict=True):
        if giver is not receiver and name in giver.names:
            giver.bench.pipeline.moving.hand(name, receiver.owner)
            giver.bench.run(until=lambda giver=giver: name not in giver.names)
            receiver.turn()
            assert name in receiver.names
            return


def test_it_goes_on_from_where_it_was_saved_and_nothing_is_fed_again(
    desks: list[Desk], redis: Redis
) -> None:
    publish(redis, 10, "live:a", end=False)
    adopt_all(desks[0], ["live:a"])
    desks[0].bench.run_until_idle()
    num_seen = desks[0].bench.streams["live:a"].session.num_seen
    desks[0].bench.pipeline.moving.hand("live:a", desks[1].owner)
    desks[0].bench.run(3)
    desks[1].turn()
    count = desks[1].bench.metrics.registry.get_sample_value
    assert desks[1].bench.streams["live:a"].session.num_seen == num_seen
    assert count("weir_tokens_in_total") == 0


def test_what_was_given_is_not_taken_up_again_by_its_giver(desks: list[Desk], redis: Redis) -> None:
    publish(redis, 3, "live:a", end=False)
    adopt_all(desks[0], ["live:a"])
    desks[0].bench.pipeline.moving.hand("live:a", desks[1].owner)
    desks[0].bench.run(5)
    assert not is_owned(redis, "live:a")
    desks[0].bench.pipeline.adopt("live:a")  # as the reconciler asks everybody
    desks[0].bench.run(2)
    assert not desks[0].names
    desks[0].bench.now += 60  # whoever was to have it has died
    desks[0].bench.pipeline.adopt("live:a")
    desks[0].bench.run(2)
    assert desks[0].names == {"live:a"}


def test_a_worker_that_is_drained_gives_all_and_takes_nothing(
    desks: list[Desk], redis: Redis
) -> None:
    names = [f"live:{number}" for number in range(7)]
    for name in names:
        publish(redis, 3, name, end=False)
    adopt_all(desks[0], names)
    turns(desks[1:2], 1)
    desks[1].workers.send(desks[0].owner, Order("drain"))
    turns(desks[:2], 10)
    assert (desks[0].names, desks[1].names) == (set(), set(names))
    publish(redis, 1, "live:new", end=False)
    desks[0].bench.pipeline.adopt("live:new")
    desks[0].bench.run(2)
    assert not desks[0].names
    desks[1].workers.send(desks[0].owner, Order("undrain"))
    for name in names:
        publish(redis, 1, name, end=False)
    turns(desks[:2], 10)
    assert len(desks[0].names) in (3, 4)


def test_people_move_a_stream_by_an_order(desks: list[Desk], redis: Redis) -> None:
    publish(redis, 3, "live:a", end=False)
    adopt_all(desks[0], ["live:a"])
    desks[2].workers.send(desks[0].owner, Order("give", "live:a", desks[1].owner))
    turns(desks[:2], 3)
    assert (desks[0].names, desks[1].names) == (set(), {"live:a"})


def test_a_balancer_that_ends_takes_its_line_away(desks: list[Desk]) -> None:
    desks[0].turn()
    desks[1].turn()
    desks[0].balancer.stop()
    desks[0].balancer.run()
    assert desks[1].workers.all().keys() == {desks[1].owner}


def test_an_engine_that_hangs_is_given_nothing(desks: list[Desk], redis: Redis) -> None:
    names = [f"live:{number}" for number in range(8)]
    for name in names:
        publish(redis, 3, name, end=False)
    adopt_all(desks[0], names)
    for _ in range(8):
        desks[1].bench.now += 60  # its thread counts no more; it cannot say so itself
        desks[1].balancer.turn()
        desks[0].turn()
    assert len(desks[0].names) == 8
