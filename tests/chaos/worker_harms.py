"""What is done to workers and to the folders that they save sessions in.

Each yields after every time, for whoever watches.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.moments import MOMENTS
from tests.chaos.workers import Worker

NOT_REACHED_SECONDS = 12.0


def kill_at_random(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.until_owned()
        arena.sleep(arena.rng.uniform(0, 1.0))
        victim = arena.rng.choice(arena.living)
        arena.spawn()
        arena.kill(victim)
        arena.sleep(arena.plan.lease_seconds)
        yield


def kill_at_moments(arena: Arena, times: int) -> Iterator[None]:
    """Each named moment in turn, in a worker that is alone so that it comes to it."""
    for moment in _moments(arena, times):
        worker = arena.spawn(moment, count=arena.rng.randint(1, 4))
        for other in arena.living:
            if other is not worker:
                arena.kill(other)
        if _comes_to_it(arena, worker, lambda worker=worker: not worker.is_alive):
            arena.num_moments += 1
        worker.signal(signal.SIGKILL)
        worker.wait(10)
        arena.note_kill(worker)
        yield


def freeze_at_moments(arena: Arena, times: int) -> Iterator[None]:
    """Past the lease, so that another worker has the stream when it wakes."""
    for moment in _moments(arena, times):
        arena.until_owned()
        worker = arena.spawn(moment, count=arena.rng.randint(1, 4), deed="freeze")
        for other in arena.living:
            if other is not worker:
                arena.kill(other)
        if _comes_to_it(arena, worker, lambda worker=worker: worker.is_frozen):
            arena.num_moments += 1
        worker.signal(signal.SIGSTOP)
        arena.spawn()
        arena.sleep(arena.plan.lease_seconds + 1)
        worker.signal(signal.SIGCONT)
        arena.sleep(0.5)
        yield


def freeze_at_random(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.sleep(arena.rng.uniform(0.3, 1.5))
        sleeper = arena.rng.choice(arena.living)
        sleeper.signal(signal.SIGSTOP)
        arena.sleep(arena.plan.lease_seconds * arena.rng.uniform(0.5, 2.0))
        sleeper.signal(signal.SIGCONT)
        yield


def terminate(arena: Arena, times: int) -> Iterator[None]:
    """SIGTERM once, twice, SIGINT, and a kill -9 on the heels of a SIGTERM."""
    ways = ("once", "twice", "int", "killed")
    for at in range(times):
        way = ways[at % len(ways)]
        arena.until_owned()
        arena.sleep(arena.rng.uniform(0, 1.5))
        victim = arena.rng.choice(arena.living)
        arena.spawn()
        victim.signal(signal.SIGINT if way == "int" else signal.SIGTERM)
        if way in ("twice", "killed"):
            arena.sleep(arena.rng.uniform(0.01, 0.3))
            victim.signal(signal.SIGTERM if way == "twice" else signal.SIGKILL)
        arena.until(lambda victim=victim: not victim.is_alive, f"SIGTERM {way} ends no worker")
        if way == "killed":
            arena.note_kill(victim)
        yield


def spoil_folders(arena: Arena, times: int) -> Iterator[None]:
    """Snapshots torn, folders gone, a file in their place; and deaths, so that they are needed."""
    for at in range(times):
        arena.until_lines(10)
        folders = (arena.snapshots, arena.parked)
        if at % 3 == 0:
            for path in arena.snapshots.glob("*.safetensors"):
                _tear(path, arena)
        else:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
                if at % 3 == 2:
                    folder.write_text("no folder")
        arena.kill(arena.rng.choice(arena.living))
        arena.until_lines(10)
        for folder in folders:
            if folder.is_file():
                folder.unlink()
                folder.mkdir()
        # A worker does not start without its folders, which is another promise than this one.
        fresh = arena.spawn()
        arena.until(lambda fresh=fresh: fresh.is_ready, "a worker does not start")
        yield


def fill_disk(arena: Arena, times: int) -> Iterator[None]:
    """No snapshot fits; windows are rebuilt from the transcript at every death."""
    for _ in range(times):
        arena.until_lines(10)
        arena.spawn()
        arena.kill(arena.rng.choice(arena.living))
        arena.until_lines(10)
        yield


def _moments(arena: Arena, times: int) -> list[str]:
    """All of them before any comes again; in another order for every seed."""
    moments: list[str] = []
    while len(moments) < times:
        moments += arena.rng.sample(MOMENTS, len(MOMENTS))
    return moments[:times]


def _comes_to_it(arena: Arena, worker: Worker, condition: Callable[[], bool]) -> bool:
    """Whether it came to the moment at which it was to end; not every one comes in every life."""
    arena.until(lambda: condition() or worker.is_ready, "a worker does not start")
    for _ in range(int(NOT_REACHED_SECONDS / 0.02)):
        if condition():
            return True
        arena.sleep(0.02)
    return False


def _tear(path: Path, arena: Arena) -> None:
    try:
        with path.open("r+b") as file:
            size = file.seek(0, 2)
            if arena.rng.random() < 0.5:
                file.truncate(size // 2)
            else:
                file.seek(arena.rng.randrange(size))
                file.write(b"\xff\x00\xff")
    except (OSError, ValueError):
        return  # it was replaced just now
