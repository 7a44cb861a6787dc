"""Workers die: when has the last of their streams an owner again, and what does the server do
meanwhile? A simulation with the measured costs of each look, message and take-over.

The rules are the reconciler's (worker/process/reconciler.py): one round of all workers in an
interval, less often if it takes long; leases that end soon are looked at again when they have; few
messages, each for one of those that wait, who are all woken by it, or for the next that is free.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.capacity.costs import Costs
from tests.bench.capacity.meter import Cost
from worker.process.reconciler import AFTERWARDS_SECONDS, PAUSES, TOGETHER_SECONDS, offers
from worker.settings.config import Settings

NO_COST = Cost(0, 0)
DEFAULTS = Settings()


@dataclass(frozen=True)
class Storm:
    """num_streams: of all workers. num_orphans: of them, those of the dead."""

    num_streams: int
    num_orphans: int
    num_workers: int  # that live


class Simulation:
    """owned_at: seconds after the kill. spent: by the second, what the server did beside what it
    always does."""

    def __init__(self, storm: Storm, costs: Costs, *, seed: int):
        self.owned_at: dict[str, float] = {}
        self.spent: dict[int, Cost] = {}
        self.num_messages = 0
        self._storm, self._costs = storm, costs
        self._free_at = [0.0] * storm.num_workers  # for the next message
        self._engine_free_at = [0.0] * storm.num_workers
        self._rng = rng = random.Random(seed)
        lease = DEFAULTS.lease_seconds
        # They were renewed at some time in the last third of a lease's length.
        orphans = [f"live:{number}" for number in range(storm.num_orphans)]
        self._ends = {stream: rng.uniform(2 / 3 * lease, lease) for stream in orphans}
        self._run(now=rng.uniform(0, DEFAULTS.discover_seconds))

    @property
    def peak(self) -> Cost:
        return max(self.spent.values(), key=lambda cost: cost.server_seconds)

    def _run(self, *, now: float) -> None:
        due_at, ending = now, list[str]()
        while len(self.owned_at) < self._storm.num_orphans:
            is_round = now >= due_at
            streams = list(self._ends) if is_round else ending
            took = self._look(self._storm.num_streams if is_round else len(streams), now)
            if is_round:
                due_at = now + took + pause_seconds(took)
            unowned = [s for s in streams if self._ends[s] <= now and not self._is_owned(s, now)]
            soon = min(due_at, now + DEFAULTS.lease_seconds / 2)
            ending = [s for s in streams if now < self._ends[s] < soon]
            now += took
            for offered in offers(unowned):
                now += self._costs.sending_seconds
                self._offer(offered, now)
            ends = min((self._ends[s] + AFTERWARDS_SECONDS for s in ending), default=due_at)
            now = max(now, min(due_at, max(ends, now + TOGETHER_SECONDS)))

    def _is_owned(self, stream: str, now: float) -> bool:
        return self.owned_at.get(stream, now) < now

    def _look(self, num_streams: int, at: float) -> float:
        cost = num_streams * self._costs.looked_owned
        tenths = 1 + int(10 * cost.our_seconds)
        for tenth in range(tenths):
            self._spend(at + tenth / 10, cost / tenths)
        return cost.our_seconds

    def _offer(self, streams: Sequence[str], at: float) -> None:
        self.num_messages += 1
        waiting = [n for n, free_at in enumerate(self._free_at) if free_at <= at]
        overheard = max(0, len(waiting) - 1) * self._costs.overheard
        self._spend(at, self._costs.offered + overheard)
        everybody = range(len(self._free_at))
        first = self._rng.choice(waiting or [min(everybody, key=self._free_at.__getitem__)])
        for number in waiting:
            self._free_at[number] = at + max(0.0, self._costs.overheard.our_seconds)
        done_at = max(at, self._free_at[first]) + self._costs.offered.our_seconds
        self._free_at[first] = done_at
        self._adopt(streams, first, done_at)

    def _adopt(self, streams: Sequence[str], worker: int, at: float) -> None:
        at = max(at, self._engine_free_at[worker])
        took = 2 * self._costs.adopted.our_seconds  # half of it for the streams that it has already
        for stream in streams:
            if self.owned_at.get(stream, math.inf) > at + took:  # else somebody has begun
                at += took
                self.owned_at[stream] = at
                self._spend(at, self._costs.adopted)
        self._engine_free_at[worker] = at

    def _spend(self, at: float, cost: Cost) -> None:
        self.spent[int(at)] = self.spent.get(int(at), NO_COST) + cost


def pause_seconds(look_seconds: float) -> float:
    """After a look at all streams that took so long."""
    return max(DEFAULTS.discover_seconds, PAUSES * look_seconds)
