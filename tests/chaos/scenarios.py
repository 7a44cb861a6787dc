"""What is tried. A scenario does its harm to an arena in which text flows all the while; whatever
it leaves behind, the arena then ends every stream in order and judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos.arena import Arena, Plan
from tests.chaos.moments import MOMENTS
from tests.chaos.server_harms import (
    cut_connections,
    delete_input,
    fill_memory,
    fill_queue,
    flush_all,
    kill_server,
    lose_last_entry,
    lose_tail,
    refuse_writes,
    rewind_busy,
    rewind_quiet,
    step_clock,
)
from tests.chaos.worker_harms import (
    fill_disk,
    freeze_at_moments,
    freeze_at_random,
    kill_at_moments,
    kill_at_random,
    spoil_folders,
    terminate,
)

Harm = Callable[[Arena, int], Iterator[None]]


@dataclass(frozen=True)
class Scenario:
    """harm: is told how often."""

    name: str
    what: str
    harm: Harm
    times: int
    plan: Plan = field(default_factory=Plan)


def storm(arena: Arena, times: int) -> Iterator[None]:
    """Any of the others, one after another."""
    harms = (
        kill_at_random,
        kill_at_moments,
        freeze_at_random,
        terminate,
        kill_server,
        cut_connections,
        fill_memory,
        refuse_writes,
        spoil_folders,
    )
    for _ in range(times):
        yield from arena.rng.choice(harms)(arena, 1)
        while len(arena.living) < arena.plan.num_workers:
            arena.spawn()


LOSSY = Plan(is_lossy=True)
SCENARIOS = (
    Scenario("kill", "kill -9 of any worker at any time", kill_at_random, 40),
    Scenario(
        "moments", "kill -9 at each named moment, between any two commands", kill_at_moments, 60
    ),
    Scenario("freeze", "a worker sleeps past its lease, at any time", freeze_at_random, 10),
    Scenario(
        "freeze-moments", "the same, at each named moment", freeze_at_moments, len(MOMENTS) // 2
    ),
    Scenario("term", "SIGTERM once, twice, SIGINT, SIGTERM and kill -9", terminate, 12),
    Scenario("server", "kill -9 of the server, all on disk", kill_server, 10),
    Scenario(
        "server-everysec",
        "the same, written out once a second",
        kill_server,
        10,
        Plan(every_second=True),
    ),
    Scenario("tail", "the end of the server's log is lost", lose_tail, 10, LOSSY),
    Scenario("entry", "the entry that is being written is lost", lose_last_entry, 4, LOSSY),
    Scenario("rewind", "the server goes back while text flows", rewind_busy, 8, LOSSY),
    Scenario("rewind-quiet", "the same, and nothing new comes", rewind_quiet, 4, LOSSY),
    Scenario("flushall", "everything is deleted", flush_all, 5, LOSSY),
    Scenario("delete", "inputs are deleted and made anew", delete_input, 5, LOSSY),
    Scenario("connections", "all connections are cut, again and again", cut_connections, 8),
    Scenario("full", "the server has no memory left, and then it has", fill_memory, 6),
    Scenario("read-only", "no writes: replicas missing, failover", refuse_writes, 6),
    Scenario("folders", "snapshots torn, folders gone or files", spoil_folders, 9),
    Scenario("disk", "no snapshot fits on the disk", fill_disk, 6, Plan(needs="small disk")),
    Scenario("clock", "the server's clock is stepped", step_clock, 6, Plan(needs="clock")),
    Scenario("queue", "garbage in Celery's queue", fill_queue, 2),
    Scenario("storm", "any of the above", storm, 20),
)
