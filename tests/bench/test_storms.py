"""The simulation of take-overs does what can be told without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.capacity.costs import Costs
from tests.bench.capacity.meter import Cost
from tests.bench.capacity.storm import DEFAULTS, Simulation, Storm

NOTHING = Cost(0, 0)
FREE = Costs(*(8 * [NOTHING]), sending_seconds=0.0, bytes_resting=0.0, bytes_per_word=0.0)
STORM = Storm(num_streams=1000, num_orphans=300, num_workers=3)
LEASE_SECONDS = DEFAULTS.lease_seconds


@pytest.mark.parametrize("seed", range(20))
def test_where_nothing_takes_time_a_stream_is_owned_when_its_lease_is_over(seed: int) -> None:
    owned_at = sorted(Simulation(STORM, FREE, seed=seed).owned_at.values())
    assert len(owned_at) == STORM.num_orphans
    assert owned_at[0] >= 2 / 3 * LEASE_SECONDS
    assert owned_at[-1] <= LEASE_SECONDS + 0.25  # leases that end together are looked at together


def test_take_overs_take_as_long_as_the_workers_need_for_them() -> None:
    """Each of three makes a hundred, at half of its time."""
    slow = replace(FREE, adopted=Cost(1, 0.1, our_seconds=1.0))
    simulation = Simulation(STORM, slow, seed=1)
    assert max(simulation.owned_at.values()) >= 2 / 3 * LEASE_SECONDS + 200
    assert sum(cost.commands for cost in simulation.spent.values()) >= STORM.num_orphans


def test_a_look_that_takes_long_is_waited_for() -> None:
    slow = replace(FREE, looked_owned=Cost(1, 0, our_seconds=30 / STORM.num_streams))
    assert max(Simulation(STORM, slow, seed=1).owned_at.values()) >= 30
