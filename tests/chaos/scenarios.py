"""What is tried. A scenario does its harm to an arena in which text flows all the while; whatever
it leaves behind, the arena then ends every stream in order and judges.

Each yields how many deaths it has caused so far, for whoever watches.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.arena import Arena, Plan
from tests.chaos.garbage import QUEUE, garbage
from tests.chaos.moments import MOMENTS
from tests.chaos.workers import Worker
from worker.keyspace.embedded import free_port
from worker.keyspace.keys import stream_keys

Harm = Callable[[Arena, int], Iterator[None]]

NOT_REACHED_SECONDS = 12.0


@dataclass(frozen=True)
class Scenario:
    """harm: is told how often."""

    name: str
    what: str
    harm: Harm
    times: int
    plan: Plan = field(default_factory=Plan)


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


def kill_server(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.sleep(arena.rng.uniform(0.5, 2))
        arena.server.kill()
        arena.num_kills += 1
        arena.sleep(arena.rng.choice((0.0, 0.5, 1.5 * arena.plan.lease_seconds)))
        arena.server.start()
        arena.until_lines(5)
        yield


def lose_tail(arena: Arena, times: int) -> Iterator[None]:
    """A power cut: the last bytes of the log are gone, in the middle of a command or not."""
    for _ in range(times):
        arena.until_lines(8)
        arena.server.lose_tail(arena.rng.randint(1, 6000))
        arena.num_kills += 1
        arena.until_lines(5)
        yield


def lose_last_entry(arena: Arena, times: int) -> Iterator[None]:
    """The last entry of a stream is lost while a living worker has read it and writes it still."""
    for _ in range(times):
        arena.publisher.be_silent()
        arena.until(lambda: _is_settled(arena), "text is not settled")
        talk = arena.publisher.talks[0]
        size = arena.server.log_file.stat().st_size
        text = " ".join(f"never{n}" for n in range(40))
        arena.redis.xadd(talk.stream, {"text": text.replace("0", "").lower()})
        arena.sleep(arena.rng.uniform(0, 0.3))
        arena.server.kill()
        arena.num_kills += 1
        with arena.server.log_file.open("r+b") as log:
            log.truncate(size)
        arena.server.start()
        arena.sleep(1)
        arena.publisher.speak()
        arena.until_lines(5)
        yield


def rewind_busy(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.until_lines(5)
        copy = arena.server.copy()
        arena.until_lines(arena.rng.randint(3, 15))
        _rewind(arena, copy)
        arena.until_lines(5)
        yield


def rewind_quiet(arena: Arena, times: int) -> Iterator[None]:
    """All text is there in the copy, some commits are not, and nothing new comes."""
    for _ in range(times):
        arena.until_lines(5)
        arena.publisher.be_silent()
        copy = arena.server.copy()
        arena.until(lambda: _is_settled(arena), "text is not settled")
        arena.sleep(arena.rng.uniform(0, 2))
        _rewind(arena, copy)
        arena.until(lambda: _is_settled(arena), "text is not settled again after a rewind")
        arena.publisher.speak()
        yield


def flush_all(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.until_lines(8)
        arena.redis.flushall()
        arena.until_lines(5)
        yield


def delete_input(arena: Arena, times: int) -> Iterator[None]:
    """An input is deleted; its publisher goes on, so that another has its name."""
    for _ in range(times):
        arena.until_lines(8)
        arena.publisher.be_silent()
        arena.sleep(arena.rng.choice((0.0, 0.3, 1.0)))
        for stream in arena.streams:
            arena.past.setdefault(stream, []).append(arena.redis.xrange(stream))
            arena.redis.delete(stream)
        arena.sleep(arena.rng.choice((0.0, 1.0)))
        arena.publisher.speak()
        arena.until_lines(5)
        yield


def cut_connections(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        for _ in range(10):
            arena.sleep(arena.rng.uniform(0, 0.15))
            arena.redis.client_kill_filter(_type="normal", skipme=True)
        arena.until_lines(3)
        yield


def fill_memory(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.until_lines(3)
        arena.redis.config_set("maxmemory", 1)
        arena.sleep(arena.rng.uniform(0.2, 2.0 * arena.plan.lease_seconds))
        arena.redis.config_set("maxmemory", 0)
        arena.until_lines(3)
        yield


def refuse_writes(arena: Arena, times: int) -> Iterator[None]:
    """A primary that lacks its replicas, then one that is made a replica, as in a failover."""
    for at in range(times):
        arena.until_lines(3)
        seconds = arena.rng.uniform(0.2, 2.0 * arena.plan.lease_seconds)
        if at % 2:
            arena.redis.config_set("min-replicas-to-write", 1)
            arena.sleep(seconds)
            arena.redis.config_set("min-replicas-to-write", 0)
        else:
            arena.redis.replicaof("127.0.0.1", free_port())
            arena.sleep(seconds)
            arena.redis.replicaof("NO", "ONE")
        arena.until_lines(3)
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
        arena.spawn()
        yield


def fill_disk(arena: Arena, times: int) -> Iterator[None]:
    """No snapshot fits; windows are rebuilt from the transcript at every death."""
    for _ in range(times):
        arena.until_lines(10)
        arena.spawn()
        arena.kill(arena.rng.choice(arena.living))
        arena.until_lines(10)
        yield


def step_clock(arena: Arena, times: int) -> Iterator[None]:
    """The server's clock, by up to a day to and fro; and a death after each step."""
    assert arena.clock is not None
    for _ in range(times):
        arena.until_lines(5)
        arena.clock.step_to(arena.rng.choice((-86400, -3600, -30, 0, 30, 3600, 86400)))
        arena.until_lines(5)
        arena.spawn()
        arena.kill(arena.rng.choice(arena.living[:-1]))
        arena.until_owned()
        arena.until_lines(5)
        yield


def fill_queue(arena: Arena, times: int) -> Iterator[None]:
    for _ in range(times):
        arena.until_lines(3)
        for message in garbage():
            arena.redis.lpush(QUEUE, message)
        arena.until(lambda: arena.redis.llen(QUEUE) == 0, "the queue is not emptied")
        arena.until_lines(3)
        if len(arena.living) < arena.plan.num_workers:
            arena.until(lambda: False, "garbage in the queue ends workers")
        yield


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


def _rewind(arena: Arena, copy: Path) -> None:
    arena.server.rewind(copy)
    shutil.rmtree(copy.parent)
    arena.num_kills += 1


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


def _is_settled(arena: Arena) -> bool:
    def is_settled(stream: str) -> bool:
        last = arena.redis.xrevrange(stream, count=1)
        return not last or arena.redis.hget(stream_keys(stream).state, "entry_id") == last[0][0]

    try:
        return all(is_settled(stream) for stream in arena.streams)
    except RedisError:
        return False


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
