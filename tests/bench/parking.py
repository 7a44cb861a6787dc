"""Thousands of streams on one worker with few rows: a real server, the real pipeline and engine.

    python -m tests.bench.parking --streams 2000 --rows 16

Entries arrive at random. Everything that was published is read back: every entry once, in order,
with its words. Then one stream talks while all others rest: what a round costs beside the model's
own step. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry
from redis import Redis

from engine import Engine
from engine.stats import MOVES, Moves
from tests.worker.workbench import sentence
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.source import Source
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.stream.kit import Kit, engine_config
from worker.watch.metrics import Metrics

SECONDS_OF_TALK = 10.0
SECONDS_OF_REST = 5.0


@dataclass(frozen=True)
class Load:
    """How many streams, on how many rows, and how many entries come to each."""

    num_streams: int
    num_rows: int
    num_entries: int
    num_recent: int
    park_host_bytes: int
    entries_per_second: float
    summary_seconds: float
    seed: int = 0

    @property
    def names(self) -> list[str]:
        return [f"live:{number}" for number in range(self.num_streams)]

    def arrivals(self) -> list[tuple[str, int]]:
        """(stream, number of the entry in it), in the order in which they come."""
        order = [name for name in self.names for _ in range(self.num_entries)]
        random.Random(self.seed).shuffle(order)
        counts = dict.fromkeys(self.names, 0)
        arrivals = []
        for name in order:
            arrivals.append((name, counts[name]))
            counts[name] += 1
        return arrivals


@dataclass
class Figures:
    """What was measured; seconds are wall time unless they say otherwise."""

    streams: int
    rows: int
    entries: int
    seconds_taking_up: float = 0.0
    seconds_reading: float = 0.0
    rounds: int = 0
    steps_share_of_time: float = 0.0
    cpu_ms_beside_step_median: float = 0.0  # of a round, while entries come to all
    cpu_ms_beside_step_worst: float = 0.0
    one_talks_cpu_ms_beside_step_median: float = 0.0
    one_talks_cpu_ms_beside_step_worst: float = 0.0
    nobody_talks_cpu_share: float = 0.0
    kv_bytes: int = 0
    host_bytes: int = 0
    disk_bytes: int = 0
    sessions_in_host: int = 0
    sessions_on_disk: int = 0


class Bench:
    """One pipeline, run in this thread. `beside_steps`: CPU of each round but its step."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.moves = dict.fromkeys(MOVES, Moves())
        self.beside_steps: list[float] = []
        self.step_seconds = 0.0
        self._step_cpu = 0.0
        metrics = Metrics(CollectorRegistry())
        self.engine = Engine.load(engine_config(settings))
        kit = Kit.make(self.engine, settings, metrics)
        source = Source(connect_blocking(settings, settings.block_seconds), settings.entry_limits)
        self.pipeline = Pipeline(kit, connect(settings), source, owner="bench")
        self._step, self.engine.step = self.engine.step, self._counted_step  # type: ignore[method-assign]

    def _counted_step(self):  # type: ignore[no-untyped-def]
        cpu = time.thread_time()
        report = self._step()
        self._step_cpu = time.thread_time() - cpu
        self.step_seconds += report.seconds
        assert report.losses == ()
        for move, moved in report.moves.items():
            before = self.moves[move]
            self.moves[move] = Moves(
                before.num_sessions + moved.num_sessions, before.seconds + moved.seconds
            )
        return report

    def round(self) -> None:
        cpu = time.thread_time()
        self.pipeline.run_once()
        self.beside_steps.append(time.thread_time() - cpu - self._step_cpu)

    @property
    def has_read_all(self) -> bool:
        streams = self.pipeline.owned.streams.values()
        return not self.engine.has_work and all(stream.is_resting for stream in streams)

    def take_rounds(self) -> list[float]:
        """Milliseconds."""
        rounds, self.beside_steps = self.beside_steps, []
        return [1000 * seconds for seconds in rounds]


def main(argv: Sequence[str] | None = None) -> int:
    load = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer() as server:
        figures, moves = run(load, server.url, Path(folder))
    for name, value in asdict(figures).items():
        print(f"{name:28} {value:,.3f}" if isinstance(value, float) else f"{name:28} {value:,}")
    for move, moved in moves.items():
        each = 1000 * moved.seconds / max(1, moved.num_sessions)
        share = moved.seconds / (figures.seconds_reading or 1)
        print(f"{move:8} {moved.num_sessions:8,} sessions {each:8.2f} ms each {share:6.1%} of time")
    print(json.dumps(asdict(figures) | {move: asdict(moved) for move, moved in moves.items()}))
    return 0


def run(load: Load, redis_url: str, folder: Path) -> tuple[Figures, dict[str, Moves]]:
    settings = Settings(
        redis_url=redis_url,
        metrics_port=0,
        num_recent=load.num_recent,
        num_rows=load.num_rows,
        max_streams=load.num_streams,
        park_host_bytes=load.park_host_bytes,
        park_dir=folder / "parked",
        snapshot_dir=folder / "snapshots",
        summary_max_tokens=16,
        summary_seconds=load.summary_seconds,
        snapshot_seconds=3600,
    )
    figures = Figures(load.num_streams, load.num_rows, load.num_streams * load.num_entries)
    bench = Bench(settings)
    with connect(settings) as redis:
        _take_up(bench, load, redis, figures)
        _read(bench, load, redis, figures)
        moves = dict(bench.moves)
        _rest(bench, load, redis, figures)
        check(redis, load)
    return figures, moves


def _take_up(bench: Bench, load: Load, redis: Redis, figures: Figures) -> None:
    started = time.perf_counter()
    for name in load.names:
        redis.xadd(name, {"text": sentence(0)})
        bench.pipeline.adopt(name)
    while len(bench.pipeline.owned.streams) < load.num_streams:
        bench.round()
    figures.seconds_taking_up = time.perf_counter() - started
    bench.take_rounds()


def _read(bench: Bench, load: Load, redis: Redis, figures: Figures) -> None:
    started, steps = time.perf_counter(), bench.step_seconds
    publisher = threading.Thread(target=_publish, args=(load, bench.settings))
    publisher.start()
    while publisher.is_alive() or not bench.has_read_all:
        bench.round()
    publisher.join()
    bench.engine.check_integrity()
    figures.seconds_reading = time.perf_counter() - started
    rounds = bench.take_rounds()
    figures.rounds = len(rounds)
    figures.steps_share_of_time = (bench.step_seconds - steps) / figures.seconds_reading
    figures.cpu_ms_beside_step_median = median(rounds)
    figures.cpu_ms_beside_step_worst = max(rounds)
    memory = bench.engine.memory()
    figures.kv_bytes = memory.kv_bytes_total
    figures.host_bytes, figures.disk_bytes = memory.host_bytes, memory.disk_bytes
    figures.sessions_in_host = memory.parked_in_host
    figures.sessions_on_disk = memory.parked_on_disk


def _publish(load: Load, settings: Settings) -> None:
    with connect(settings) as redis:
        for name, number in load.arrivals():
            redis.xadd(name, {"text": sentence(number + 1)})
            time.sleep(1 / load.entries_per_second)


def _rest(bench: Bench, load: Load, redis: Redis, figures: Figures) -> None:
    """One stream that always has work among all the others that rest; then nothing at all."""
    stream = bench.pipeline.owned.streams[load.names[0]]
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS_OF_TALK:
        if stream.inbox.is_empty:
            redis.xadd(stream.name, {"text": "It never stops. " * 100})
        bench.round()
    rounds = bench.take_rounds()
    figures.one_talks_cpu_ms_beside_step_median = median(rounds)
    figures.one_talks_cpu_ms_beside_step_worst = max(rounds)
    while not bench.has_read_all:
        bench.round()
    started, cpu = time.perf_counter(), time.thread_time()
    while time.perf_counter() - started < SECONDS_OF_REST:
        bench.round()
    seconds = time.perf_counter() - started
    figures.nobody_talks_cpu_share = (time.thread_time() - cpu) / seconds


def check(redis: Redis, load: Load) -> None:
    """Every entry once, in order, with its words."""
    for name in load.names:
        texts = [fields[b"text"].decode() for _, fields in _transcript(redis, name)]
        texts = [text for text in texts if not text.startswith("It never stops.")]
        expected = [sentence(0), *(sentence(number + 1) for number in range(load.num_entries))]
        assert texts == expected, (
            f"{name}: {len(texts)} of {len(expected)} entries, or another order"
        )


def _transcript(redis: Redis, name: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    yield from redis.xrange(stream_keys(name).transcript)


def _arguments(argv: Sequence[str] | None) -> Load:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--entries", type=int, default=3, help="for each stream")
    parser.add_argument("--recent", type=int, default=252, help="tokens of the window")
    parser.add_argument("--host-mib", type=int, default=64)
    parser.add_argument("--rate", type=float, default=100, help="entries a second")
    parser.add_argument("--summary-seconds", type=float, default=3600)
    given = parser.parse_args(argv)
    return Load(
        num_streams=given.streams,
        num_rows=given.rows,
        num_entries=given.entries,
        num_recent=given.recent,
        park_host_bytes=given.host_mib * 2**20,
        entries_per_second=given.rate,
        summary_seconds=given.summary_seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
