"""What is done to the server: it dies, forgets, refuses, and is written to by others.

Each yields after every time, for whoever watches.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.arena import Arena
from tests.chaos.garbage import QUEUE, garbage
from worker.keyspace.embedded import free_port
from worker.keyspace.keys import stream_keys


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


def _rewind(arena: Arena, copy: Path) -> None:
    arena.server.rewind(copy)
    shutil.rmtree(copy.parent)
    arena.num_kills += 1


def _is_settled(arena: Arena) -> bool:
    def is_settled(stream: str) -> bool:
        last = arena.redis.xrevrange(stream, count=1)
        return not last or arena.redis.hget(stream_keys(stream).state, "entry_id") == last[0][0]

    try:
        return all(is_settled(stream) for stream in arena.streams)
    except RedisError:
        return False
