"""Scenarios, one after the other, until there were enough."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.chaos.arena import ENTRIES_PER_SECOND, LEASE_SECONDS, Arena, Outcome
from tests.chaos.scenarios import Scenario
from tests.chaos.table import Row
from tests.chaos.workers import Nursery

MOST_SHOWN = 20


@dataclass(frozen=True)
class Effort:
    """At least so many minutes and kills; `share` of each scenario's harm in one run of it.
    lease: WEIR_LEASE_SECONDS. rate: entries a second, of all streams together."""

    minutes: float = 0.0
    kills: int = 0
    share: float = 1.0
    lease: float = LEASE_SECONDS
    rate: float = ENTRIES_PER_SECOND


def campaign(
    nursery: Nursery, scenarios: Sequence[Scenario], effort: Effort, *, seed: int
) -> Iterator[list[Row]]:
    """The table so far, after each run: whoever ends it early has that."""
    began = time.monotonic()
    scenarios = [scenario for scenario in scenarios if is_possible(scenario)]
    rows = [Row(scenario.name, (), 0.0) for scenario in scenarios]
    while True:
        for at, scenario in enumerate(scenarios):
            times = max(1, round(scenario.times * effort.share))
            started = time.monotonic()
            outcome = run(nursery, scenario, times, effort, seed=seed)
            rows[at] = rows[at].with_run(outcome, time.monotonic() - started)
            yield rows
        seed += 1
        num_kills = sum(row.num_kills for row in rows)
        if time.monotonic() - began >= 60 * effort.minutes and num_kills >= effort.kills:
            return


def is_possible(scenario: Scenario) -> bool:
    if not scenario.plan.is_possible:
        say(f"{scenario.name} is passed over: no {scenario.plan.needs} can be made here")
    return scenario.plan.is_possible


def run(nursery: Nursery, scenario: Scenario, times: int, effort: Effort, *, seed: int) -> Outcome:
    """One run; what it does is the same for the same seed, if not when."""
    say(f"{scenario.name} (seed {seed}, {times} times): {scenario.what}")
    plan = replace(scenario.plan, lease_seconds=effort.lease, entries_per_second=effort.rate)
    with Arena(nursery, plan, Random(f"{seed} {scenario.name}")) as arena:
        arena.begin()
        for at, _ in enumerate(scenario.harm(arena, times), start=1):
            say(f"  {at}/{times}, {arena.num_kills} kills, load {load()}", end="\r")
            if arena.violations:
                break
        outcome = arena.judge()
    for violation in outcome.violations[:MOST_SHOWN]:
        say(f"  VIOLATION {violation}")
    if outcome.violations:
        say(f"  {len(outcome.violations)} violations; logs in {arena.folder}")
    say(f"  {outcome.num_entries} entries, {outcome.num_kills} kills          ")
    return outcome


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def say(line: str, *, end: str = "\n") -> None:
    """To whoever watches; lines that are written over only where they can be."""
    if end == "\n" or sys.stderr.isatty():
        sys.stderr.write(line + end)
        sys.stderr.flush()
