"""One run of a scenario: a server, workers, publishers, and the judgement at the end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Literal

from redis.exceptions import RedisError

from tests.chaos.clocks import Clock
from tests.chaos.disks import can_mount, mount, unmount
from tests.chaos.oracle import Entries, Outputs, Violation, check
from tests.chaos.publisher import Publisher, connect
from tests.chaos.servers import FallibleServer
from tests.chaos.takeovers import Takeovers
from tests.chaos.talks import PlainTalk, RewrittenTalk, Talk
from tests.chaos.workers import Nursery, Worker
from worker.keyspace.keys import stream_keys

LEASE_SECONDS = 2.0
ENTRIES_PER_SECOND = 8.0
PATIENCE_SECONDS = 240.0
# A small window and short summaries, so that a little text makes everything happen.
SMALL = {
    "WEIR_METRICS_PORT": "0",
    "WEIR_NUM_THREADS": "1",
    "WEIR_NUM_RECENT": "156",
    "WEIR_NUM_ROWS": "8",
    "WEIR_MAX_CHUNK": "32",
    "WEIR_SUMMARY_TOKENS": "60",
    "WEIR_SUMMARY_MAX_TOKENS": "12",
    "WEIR_SUMMARY_STYLE": "free",  # so that there are steps in which one is being written
    "WEIR_SNAPSHOT_SECONDS": "1.5",
    "WEIR_BLOCK_SECONDS": "0.05",
    "WEIR_PARK_HOST_BYTES": "0",
}


@dataclass(frozen=True)
class Plan:
    """How an arena is furnished. `is_lossy`: the server loses what it had. `needs`: what not every
    machine has, and without which the scenario is passed over."""

    num_plain: int = 2
    num_rewritten: int = 2
    num_workers: int = 2
    entries_per_second: float = ENTRIES_PER_SECOND
    lease_seconds: float = LEASE_SECONDS
    discover_seconds: float = 0.5
    every_second: bool = False
    is_lossy: bool = False
    needs: Literal["", "clock", "small disk"] = ""

    @property
    def is_possible(self) -> bool:
        if self.needs == "small disk":
            return os.geteuid() == 0 and can_mount()
        return self.needs != "clock" or Clock.can_be_made()


@dataclass(frozen=True)
class Outcome:
    num_kills: int
    num_moments: int
    num_entries: int
    num_lines: int
    num_summaries: int
    takeover_seconds: tuple[float, ...]
    violations: tuple[Violation, ...]


class Arena:
    """Everything in it is gone at the end of the block, whatever happened in it."""

    def __init__(self, nursery: Nursery, plan: Plan, rng: Random) -> None:
        self.plan = plan
        self.rng = rng
        self.folder = Path(tempfile.mkdtemp(prefix="weir-chaos-"))
        self.clock = Clock(self.folder) if plan.needs == "clock" else None
        self.server = FallibleServer(
            every_second=plan.every_second,
            environment=self.clock.environment if self.clock else {},
        )
        self.snapshots = self.folder / "snapshots"
        self.parked = self.folder / "parked"
        self.takeovers = Takeovers()
        self.workers: list[Worker] = []
        self.violations: list[Violation] = []
        self.past: dict[str, list[Any]] = {}
        self.num_kills = 0
        self.num_moments = 0  # ends that came at the very moment at which they were to come
        self._nursery = nursery

    def __enter__(self) -> Arena:
        if self.plan.needs == "small disk":
            mount(self.snapshots)
        self.server.start()
        self.redis = connect(self.server.port)
        self.publisher = Publisher(
            connect(self.server.port),
            self.talks(),
            entries_per_second=self.plan.entries_per_second,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.publisher.close()
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
            worker.wait(10)
        self.redis.close()
        self.server.stop()
        if self.plan.needs == "small disk":
            unmount(self.snapshots)
        if not self.violations and error is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def talks(self, mark: str = "") -> list[Talk]:
        """New ones; `mark` sets their streams apart from others."""

        def rng() -> Random:
            return Random(self.rng.random())

        plain = [PlainTalk(f"live:plain{mark}-{n}", n, rng()) for n in range(self.plan.num_plain)]
        rewritten = [
            RewrittenTalk(f"live:rewritten{mark}-{n}", 40 + n, rng())
            for n in range(self.plan.num_rewritten)
        ]
        return [*plain, *rewritten]

    @property
    def streams(self) -> list[str]:
        return [talk.stream for talk in self.publisher.talks]

    @property
    def living(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    # ---- what scenarios do

    def begin(self) -> None:
        """All workers are there and text flows."""
        while len(self.living) < self.plan.num_workers:
            self.spawn()
        self.until(lambda: all(w.is_ready for w in self.living), "the workers do not start")
        self.publisher.start()

    def spawn(self, at: str | None = None, *, count: int = 1, deed: str = "kill") -> Worker:
        """A worker; `at`: one that does `deed` to itself at the `count`-th such moment."""
        environment = {
            **SMALL,
            "WEIR_REDIS_URL": self.server.url,
            "WEIR_SNAPSHOT_DIR": str(self.snapshots),
            "WEIR_PARK_DIR": str(self.parked),
            "WEIR_LEASE_SECONDS": str(self.plan.lease_seconds),
            "WEIR_DISCOVER_SECONDS": str(self.plan.discover_seconds),
        }
        if at is not None:
            environment |= {"CHAOS_AT": at, "CHAOS_COUNT": str(count), "CHAOS_DEED": deed}
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = self._nursery.spawn(log, environment, at=at)
        self.workers.append(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        """kill -9, measured."""
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        self.note_kill(worker)

    def note_kill(self, worker: Worker) -> None:
        self.num_kills += 1
        # Ids are no times of ours where the clock is stepped; with nobody there to take over, the
        # start of the next worker would be measured.
        if self.clock is not None or not any(worker.is_ready for worker in self.living):
            return
        with suppress(RedisError):
            self.takeovers.killed(worker.pid, self.streams, self.redis)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def until(self, condition: Callable[[], object], story: str) -> bool:
        """Wait for `condition`; a violation if it does not come, and nothing else comes either, or
        others go on and on."""
        last, deadline = -1, time.monotonic() + PATIENCE_SECONDS
        latest = deadline + 2 * PATIENCE_SECONDS
        while not _holds(condition):
            with suppress(RedisError):
                if (num_outputs := self._num_outputs()) != last:
                    last, deadline = num_outputs, time.monotonic() + PATIENCE_SECONDS
            if time.monotonic() > min(deadline, latest):
                self.violations.append(Violation("", "hung", f"{story} ({self.folder})"))
                return False
            time.sleep(0.02)
        return True

    def num_lines(self) -> int:
        return sum(self.redis.xlen(stream_keys(stream).transcript) for stream in self.streams)

    def _num_outputs(self) -> int:
        return self.num_lines() + self.num_summaries()

    def num_summaries(self) -> int:
        return sum(self.redis.xlen(stream_keys(stream).summary) for stream in self.streams)

    def until_lines(self, num_more: int) -> bool:
        """Until that many more lines were published, by whomever."""
        wanted = self.num_lines() + num_more
        return self.until(lambda: self.num_lines() >= wanted, f"{num_more} more lines do not come")

    def until_owned(self) -> bool:
        def owned() -> bool:
            return all(self.redis.exists(stream_keys(stream).lease) for stream in self.streams)

        return self.until(owned, "streams find no owner")

    # ---- the judgement

    def judge(self) -> Outcome:
        """Ends every stream in order, and compares what came out with what went in."""
        for worker in self.living:
            worker.signal(signal.SIGCONT)
        while len(self.living) < self.plan.num_workers:
            self.spawn()
        self.publisher.end()
        is_whole = self.until(lambda: not self._open(), f"not closed: {self._open()}")
        found = [v for talk in self.publisher.talks for v in self.check(talk)]
        # What a stream that hangs still owes is one violation, not a hundred.
        self.violations += [v for v in found if is_whole or v.kind not in ("lost", "tiles")]
        return Outcome(
            num_kills=self.num_kills,
            num_moments=self.num_moments,
            num_entries=sum(self.redis.xlen(stream) for stream in self.streams),
            num_lines=self.num_lines(),
            num_summaries=self.num_summaries(),
            takeover_seconds=tuple(self.takeovers.take(self.streams, self.redis)),
            violations=tuple(self.violations),
        )

    def is_open(self, stream: str) -> bool:
        """Whether its last entry, its end, is not committed yet."""
        last = self.redis.xrevrange(stream, count=1)
        state = self.redis.hmget(stream_keys(stream).state, "status", "entry_id")
        return not last or state != ["closed", last[0][0]]

    def _open(self) -> list[str]:
        return [stream for stream in self.streams if self.is_open(stream)]

    def check(self, talk: Talk) -> list[Violation]:
        stream, keys = talk.stream, stream_keys(talk.stream)
        outputs = Outputs(
            stream,
            input=self._entries(stream),
            transcript=self._entries(keys.transcript),
            summary=self._entries(keys.summary),
            rejected=self._entries(keys.rejected),
            past=self.past.get(stream, []),
        )
        return check(outputs, is_rewritten=talk.is_rewritten, may_be_told=self.plan.is_lossy)

    def _entries(self, key: str) -> Entries:
        entries: Any = self.redis.xrange(key)
        return entries


def _holds(condition: Callable[[], object]) -> bool:
    """A server that is away for a moment has no answer yet."""
    try:
        return bool(condition())
    except RedisError:
        return False
