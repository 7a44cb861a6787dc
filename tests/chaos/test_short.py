"""The campaign's short form: real workers die, freeze and are lied to, and nothing is lost, nothing
comes twice. `make chaos` is the long one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.campaign import Effort, run
from tests.chaos.moments import MOMENTS
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.workers import Nursery
from tests.forks import PYTHON

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(PYTHON) as nursery:
        yield nursery


@pytest.mark.timeout(600)  # that of a machine with much else to do; alone it takes seconds
@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("kill", 2),
        ("moments", 6),
        ("freeze-moments", 1),
        ("term", 2),
        ("server", 1),
        ("entry", 1),
        ("rewind-quiet", 1),
        ("full", 1),
        ("folders", 2),
        ("queue", 1),
    ],
)
def test_nothing_is_lost_and_nothing_comes_twice(nursery: Nursery, name: str, times: int) -> None:
    outcome = run(nursery, BY_NAME[name], times, Effort(lease=1.0), seed=1)
    assert outcome.violations == ()
    assert outcome.num_lines > 0


def test_every_moment_has_a_name_of_its_own() -> None:
    assert len(set(MOMENTS)) == len(MOMENTS)
