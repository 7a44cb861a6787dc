"""An hour and more of text and deaths: does anything grow?

One worker is never killed; others die beside it. Streams end and others begin, each judged when it
is over and deleted then, so that what should be level can be.
"""

from __future__ import annotations

import json
import signal
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import psutil
from redis.exceptions import RedisError

from tests.chaos.arena import Arena, Plan
from tests.chaos.oracle import Violation
from tests.chaos.talks import Talk
from tests.chaos.workers import Nursery, Worker
from worker.keyspace.keys import stream_keys

SAMPLE_SECONDS = 5.0
LIFE_SECONDS = 90.0  # of a stream
CLOSING_SECONDS = 900.0
LEVEL_SHARE = 0.1  # what the last quarter may be above the second
LEVEL_COUNT = 4


@dataclass(frozen=True)
class Sample:
    seconds: float
    rss_mb: float  # of the worker that is never killed
    descriptors: int
    threads: int
    streams: int  # that are there, ended ones that are not closed yet among them
    keys: int
    files: int
    server_mb: float
    num_kills: int

    @property
    def keys_per_stream(self) -> float:
        return self.keys / max(1, self.streams)

    @property
    def files_per_stream(self) -> float:
        return self.files / max(1, self.streams)


@dataclass(frozen=True)
class Soaked:
    """grown: what was not level."""

    minutes: float
    num_kills: int
    num_streams: int
    num_entries: int
    violations: list[str]
    grown: list[str]
    takeover_seconds: list[float]
    samples: list[Sample]


class Sampler(threading.Thread):
    """Looks at `worker` and at what all workers leave behind."""

    def __init__(self, arena: Arena, worker: Worker) -> None:
        super().__init__(name="chaos-sampler", daemon=True)
        self.samples: list[Sample] = []
        self._arena = arena
        self._process = psutil.Process(worker.pid)
        self._is_over = threading.Event()
        self._began = time.monotonic()

    def run(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            with suppress(RedisError, psutil.Error, OSError):
                self.samples.append(self._sample())

    def stop(self) -> None:
        self._is_over.set()
        self.join()

    def _sample(self) -> Sample:
        arena, process = self._arena, self._process
        folders = (arena.snapshots, arena.parked)
        return Sample(
            seconds=round(time.monotonic() - self._began, 1),
            rss_mb=round(process.memory_info().rss / 2**20, 1),
            descriptors=process.num_fds(),
            threads=process.num_threads(),
            streams=sum(1 for _ in arena.redis.scan_iter("live:*", count=1000)),
            keys=arena.redis.dbsize(),
            files=sum(path.is_file() for folder in folders for path in folder.rglob("*")),
            server_mb=round(arena.redis.info("memory")["used_memory"] / 2**20, 1),
            num_kills=arena.num_kills,
        )


class Generations:
    """Streams that begin, end, are judged and are deleted."""

    def __init__(self, arena: Arena) -> None:
        self.num_entries = self.num_streams = 0
        self.takeover_seconds: list[float] = []
        self._arena = arena
        self._began = time.monotonic()
        self._number = 0
        self._ending: list[tuple[float, Talk]] = []

    def look(self) -> None:
        if time.monotonic() - self._began > LIFE_SECONDS:
            self.end_all()
        for ended_at, talk in list(self._ending):
            if not self._arena.is_open(talk.stream):
                self._judge(talk)
                self._ending.remove((ended_at, talk))
            elif time.monotonic() - ended_at > CLOSING_SECONDS:
                self._arena.violations.append(Violation(talk.stream, "hung", "is not closed"))
                self._ending.remove((ended_at, talk))

    @property
    def are_ending(self) -> bool:
        return bool(self._ending)

    def end_all(self) -> None:
        """The next ones are there at once."""
        self._number += 1
        publisher, now = self._arena.publisher, time.monotonic()
        publisher.be_silent()
        for talk in publisher.talks:
            publisher.publish(talk, {"end_of_stream": "1"})
            self._ending.append((now, talk))
        publisher.talks = self._arena.talks(mark=f"-{self._number}")
        publisher.speak()
        self._began = now

    def _judge(self, talk: Talk) -> None:
        arena = self._arena
        self.num_entries += arena.redis.xlen(talk.stream)
        self.num_streams += 1
        arena.violations += arena.check(talk)
        self.takeover_seconds += arena.takeovers.take([talk.stream], arena.redis)
        keys = stream_keys(talk.stream)
        own = [value for value in asdict(keys).values() if value.startswith("weir:")]
        arena.redis.delete(talk.stream, *own)


def soak(
    nursery: Nursery,
    *,
    minutes: float,
    lease: float,
    rate: float,
    seed: int,
    say: Callable[[str], None],
) -> Soaked:
    plan = Plan(num_workers=3, lease_seconds=lease, entries_per_second=rate)
    with Arena(nursery, plan, Random(seed)) as arena:
        arena.begin()
        began = time.monotonic()
        generations, sampler = Generations(arena), Sampler(arena, arena.workers[0])
        sampler.start()
        with suppress(KeyboardInterrupt):  # whoever ends it early has the figures so far
            _kill_and_look(arena, generations, sampler, seconds=60 * minutes, say=say)
        sampler.stop()
        minutes = round((time.monotonic() - began) / 60, 1)
        generations.end_all()
        arena.publisher.be_silent()
        while generations.are_ending:
            generations.look()
            arena.sleep(0.2)
        return Soaked(
            minutes=minutes,
            num_kills=arena.num_kills,
            num_streams=generations.num_streams,
            num_entries=generations.num_entries,
            violations=[str(violation) for violation in arena.violations],
            grown=grown(sampler.samples),
            takeover_seconds=generations.takeover_seconds,
            samples=sampler.samples,
        )


def _kill_and_look(
    arena: Arena,
    generations: Generations,
    sampler: Sampler,
    *,
    seconds: float,
    say: Callable[[str], None],
) -> None:
    deadline, num_said = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        _kill_one_of_the_others(arena)
        for _ in range(arena.rng.randint(5, 20)):
            generations.look()
            arena.sleep(1)
        if sampler.samples:
            say(json.dumps(asdict(sampler.samples[-1])))
        for violation in arena.violations[num_said:]:
            say(f"  VIOLATION {violation}")
        num_said = len(arena.violations)


def _kill_one_of_the_others(arena: Arena) -> None:
    others = [worker for worker in arena.living if worker is not arena.workers[0]]
    arena.spawn()
    arena.kill(arena.rng.choice(others))
    if not arena.workers[0].is_alive:
        arena.violations.append(Violation("", "hung", "the worker that nobody killed has ended"))
        arena.workers[0].signal(signal.SIGKILL)


def grown(samples: Sequence[Sample]) -> list[str]:
    """What was not level: the last quarter's median is above that of the second one. On a machine
    that gets slower more streams wait for their end, so keys and files are those of a stream."""
    quarter = len(samples) // 4
    if quarter == 0:
        return []
    before, after = samples[quarter : 2 * quarter], samples[3 * quarter :]
    lines = []
    for name in ("rss_mb", "descriptors", "threads", "keys_per_stream", "files_per_stream"):
        was, now = (statistics.median(getattr(s, name) for s in part) for part in (before, after))
        if now > was * (1 + LEVEL_SHARE) + LEVEL_COUNT * name.endswith(("descriptors", "threads")):
            lines.append(f"{name}: {was:.3g}, later {now:.3g}")
    return lines


def plot(samples: Sequence[Sample], path: Path) -> None:
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    panels = {
        "rss_mb": "resident MiB",
        "descriptors": "descriptors",
        "threads": "threads",
        "keys_per_stream": "keys for each stream",
        "files_per_stream": "files for each stream",
        "num_kills": "kills -9 so far",
    }
    figure, axes = pyplot.subplots(3, 2, figsize=(9, 6), sharex=True)
    minutes = [sample.seconds / 60 for sample in samples]
    for axis, (name, title) in zip(axes.flat, panels.items(), strict=True):
        axis.plot(minutes, [getattr(sample, name) for sample in samples], linewidth=0.8)
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path, dpi=90, pil_kwargs={"optimize": True})
