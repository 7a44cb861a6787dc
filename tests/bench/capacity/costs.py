"""What one stream, one look for streams, one message and one worker cost, each measured alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from redis import Redis

from tests.bench.capacity.crowd import (
    WORDS_PER_ENTRY,
    WORDS_PER_SECOND,
    clone,
    names,
    open_pipeline,
    run_for,
    run_until_quiet,
    say,
    settings_for,
)
from tests.bench.capacity.meter import Cost, Meter, used_bytes
from worker.keyspace.connection import connect
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.registry import look
from worker.keyspace.workers import Workers

NUM_RESTING, NUM_TALKING, NUM_CLONES, NUM_WORKERS = 1000, 200, 10_000, 100
SECONDS = 20.0
NUM_LOOKS = 3
NUM_MESSAGES = 100
SECONDS_BETWEEN_MESSAGES = 0.02


@dataclass(frozen=True)
class Costs:
    """resting, talking: of an owned stream in a second. looked_owned, looked_free: of a stream in
    one look for streams without an owner, with one and parked. adopted: of taking one up. offered:
    of sending and doing one message with one worker; overheard: more, for each other worker. told:
    of one line in one report of a worker. sending_seconds: of whoever sends a message.
    bytes_resting, bytes_per_word: of a stream."""

    resting: Cost
    talking: Cost
    looked_owned: Cost
    looked_free: Cost
    adopted: Cost
    offered: Cost
    overheard: Cost
    told: Cost
    sending_seconds: float
    bytes_resting: float
    bytes_per_word: float


def measure(folder: Path) -> Costs:
    resting, bytes_resting, adopted = rest(folder)
    talking, bytes_per_word = talk(folder)
    owned, free = looks(folder)
    offered, overheard, sending_seconds = messages(folder)
    return Costs(
        resting=resting,
        talking=talking,
        looked_owned=owned,
        looked_free=free,
        adopted=adopted,
        offered=offered,
        overheard=overheard,
        told=reports(),
        sending_seconds=sending_seconds,
        bytes_resting=bytes_resting,
        bytes_per_word=bytes_per_word,
    )


def rest(folder: Path) -> tuple[Cost, float, Cost]:
    """A worker full of streams that have said something once; then those, when it has died, taken
    up by another."""
    with EmbeddedServer() as server, Redis.from_url(server.url) as redis:
        settings, streams = settings_for(server.url, folder, NUM_RESTING), names(NUM_RESTING)
        empty = used_bytes(redis)
        say(redis, streams, 0)
        pipeline = open_pipeline(settings)
        for stream in streams:
            pipeline.adopt(stream)
        run_until_quiet(pipeline, NUM_RESTING)
        meter = Meter(redis)
        run_for(pipeline, SECONDS)
        resting = meter.lap() / (NUM_RESTING * SECONDS)
        num_bytes = (used_bytes(redis) - empty) / NUM_RESTING
        redis.delete(*(stream_keys(stream).lease for stream in streams))
        heir = open_pipeline(settings)
        meter.lap()
        for stream in streams:
            heir.owned.adopt(stream)
        adopted = meter.lap() / NUM_RESTING
    return resting, num_bytes, adopted


def talk(folder: Path) -> tuple[Cost, float]:
    """Streams at the speed of talk, their publishers' commands with them."""
    with EmbeddedServer() as server, Redis.from_url(server.url) as redis:
        streams = names(NUM_TALKING)
        pipeline = open_pipeline(settings_for(server.url, folder, NUM_TALKING))
        say(redis, streams, 0)
        for stream in streams:
            pipeline.adopt(stream)
        run_until_quiet(pipeline, NUM_TALKING)
        is_over = threading.Event()
        publisher = threading.Thread(target=_publish, args=(server.url, streams, is_over))
        publisher.start()
        run_for(pipeline, SECONDS / 2)  # until rounds are as they go on
        meter, before = Meter(redis), used_bytes(redis)
        run_for(pipeline, SECONDS)
        cost, num_bytes = meter.lap(), used_bytes(redis) - before
        is_over.set()
        publisher.join()
        pipeline.close(1.0)
    num_words = NUM_TALKING * SECONDS * WORDS_PER_SECOND
    return cost / (NUM_TALKING * SECONDS), num_bytes / num_words


def _publish(url: str, streams: list[str], is_over: threading.Event) -> None:
    """One entry after the other, so that each stream has its own every two seconds."""
    pause_seconds = WORDS_PER_ENTRY / WORDS_PER_SECOND / len(streams)
    with Redis.from_url(url) as redis:
        due, number = time.monotonic(), len(streams)
        while not is_over.wait(max(0.0, due - time.monotonic())):
            say(redis, [streams[number % len(streams)]], number // len(streams))
            due, number = due + pause_seconds, number + 1


def looks(folder: Path) -> tuple[Cost, Cost]:
    with EmbeddedServer() as server, Redis.from_url(server.url) as redis:
        [first] = names(1)
        settings = settings_for(server.url, folder, 1)
        pipeline = open_pipeline(settings)
        say(redis, [first], 0)
        pipeline.adopt(first)
        run_until_quiet(pipeline, 1)
        pipeline.owned.let_go(pipeline.owned.streams[first])  # parked
        clones = names(NUM_CLONES)[1:]
        clone(redis, first, clones)
        found = {}
        for has_owner in (False, True):
            total = Cost(0, 0)
            for _ in range(NUM_LOOKS):
                if has_owner:
                    _lease(redis, [first, *clones])
                meter = Meter(redis)
                look(connect(settings), settings.patterns)
                total += meter.lap()
            found[has_owner] = total / (NUM_LOOKS * NUM_CLONES)
    return found[True], found[False]


def _lease(redis: Redis, streams: list[str]) -> None:
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            pipe.set(stream_keys(stream).lease, "there:1:x", px=9500)
        pipe.execute()


def messages(folder: Path) -> tuple[Cost, Cost, float]:
    """Offers of a stream that is owned already: of one worker alone, what a second one adds, and
    the sender's time."""
    with EmbeddedServer() as server, Redis.from_url(server.url) as redis:
        one, sending_seconds = _offered(server.url, redis, 1, folder)
        two, _ = _offered(server.url, redis, 2, folder)
    return one, two - one, sending_seconds


def _offered(url: str, redis: Redis, num_workers: int, folder: Path) -> tuple[Cost, float]:
    os.environ["WEIR_REDIS_URL"] = url
    from worker.app import app  # noqa: PLC0415 (it reads the variable)

    with _workers(url, num_workers, folder) as pids:
        while redis.hlen("weir:workers") < num_workers:
            time.sleep(0.1)
        time.sleep(3.0)
        _lease(redis, ["live:owned"])
        before, meter = sum(map(_cpu_seconds, pids)), Meter(redis)
        begun_at = time.monotonic()
        for _ in range(NUM_MESSAGES):
            app.send_task("weir.adopt", args=["live:owned"], retry=False)
            time.sleep(SECONDS_BETWEEN_MESSAGES)
        took_seconds, cost = time.monotonic() - begun_at, meter.lap()
        worked = sum(map(_cpu_seconds, pids)) - before
        time.sleep(took_seconds)  # as long, without messages: what workers do anyhow
        idle = meter.lap()
        worked -= sum(map(_cpu_seconds, pids)) - before - worked
    redis.delete("weir:workers")
    of_server = replace(cost - idle, our_seconds=worked)
    return of_server / NUM_MESSAGES, cost.our_seconds / NUM_MESSAGES


@contextmanager
def _workers(url: str, num: int, folder: Path) -> Iterator[list[int]]:
    told = {"REDIS_URL": url, "METRICS_PORT": "0", "DISCOVER_SECONDS": "1000"}
    told |= {f"{name}_DIR": str(folder / name) for name in ("SNAPSHOT", "PARK")}
    env = {**os.environ, **{f"WEIR_{name}": value for name, value in told.items()}}
    command = [sys.executable, "-m", "worker", "worker"]
    with (folder / "workers.log").open("wb") as log:
        found = [subprocess.Popen(command, env=env, stdout=log, stderr=log) for _ in range(num)]
    try:
        yield [process.pid for process in found]
    finally:
        for process in found:
            process.kill()
            process.wait()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reports() -> Cost:
    with EmbeddedServer() as server, Redis.from_url(server.url) as redis:
        workers = Workers(redis)
        said = {"streams": 1000, "places": 1000, "gifts": [], "taken": []}
        owners = [f"worker-{number}:7:0123abcd" for number in range(NUM_WORKERS)]
        for owner in owners:
            workers.report(owner, said)
        meter = Meter(redis)
        for owner in owners:
            workers.report(owner, said)
        return meter.lap() / NUM_WORKERS**2
