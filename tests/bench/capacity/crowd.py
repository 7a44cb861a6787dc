"""A worker's pipeline in this process, without a model, and as many streams as one likes.

What is asked of the server is the worker's own; only the arithmetic of a model is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry
from redis import Redis

from engine import Engine
from tests.worker.paper_engine import PaperEngine
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.keys import is_own_key, stream_keys
from worker.keyspace.source import Source
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.stream.kit import Kit, engine_config
from worker.watch.metrics import Metrics

WORDS_PER_SECOND = 2.5
WORDS_PER_ENTRY = 5  # recognisers commit four or five at a time
STEP_SECONDS = 0.02  # what a small model takes for a step, or more
PATIENCE_SECONDS = 300.0


def names(num_streams: int) -> list[str]:
    return [f"live:{number}" for number in range(num_streams)]


def settings_for(url: str, folder: Path, num_streams: int) -> Settings:
    """The defaults but for the number of streams, and a first summary that comes soon."""
    return Settings(
        redis_url=url,
        restore="off",
        summary_seconds=2.0,
        max_streams=num_streams,
        snapshot_dir=folder / "snapshots",
        park_dir=folder / "parked",
    )


def open_pipeline(settings: Settings) -> Pipeline:
    engine = cast(Engine, PaperEngine(engine_config(settings), _take_a_step))
    kit = Kit.make(engine, settings, Metrics(CollectorRegistry()))
    source = Source(connect_blocking(settings, settings.block_seconds), settings.entry_limits)
    return Pipeline(kit, connect(settings), source, owner="here:1:x")


def _take_a_step() -> None:
    time.sleep(STEP_SECONDS)


def run(pipeline: Pipeline, until: Callable[[], bool]) -> None:
    """As the engine's thread does."""
    begun_at = time.monotonic()
    while not until():
        pipeline.run_once()
        if time.monotonic() - begun_at > PATIENCE_SECONDS:
            raise TimeoutError("the machine has too much else to do")


def run_for(pipeline: Pipeline, seconds: float) -> None:
    until = time.monotonic() + seconds
    run(pipeline, lambda: time.monotonic() >= until)


def run_until_quiet(pipeline: Pipeline, num_streams: int) -> None:
    owned = pipeline.owned.streams
    run(pipeline, lambda: len(owned) == num_streams and all(s.is_quiet for s in owned.values()))


def say(redis: Redis, streams: Sequence[str], number: int) -> None:
    """An entry of five words to each."""
    with redis.pipeline(transaction=False) as pipe:
        for stream in streams:
            pipe.xadd(stream, {"text": f"This is word group {number}.", "speaker": "Ann"})
        pipe.execute()


def clone(redis: Redis, stream: str, streams: Sequence[str]) -> None:
    """Gives each of `streams` all the keys of `stream`, but for its lease."""
    found = [key for key in redis.scan_iter() if is_own_key(key.decode())]
    own = [key.decode() for key in found if f"{{{stream}}}".encode() in key]
    dumps = {key: redis.dump(key) for key in (*own, stream) if key != stream_keys(stream).lease}
    for name in streams:
        with redis.pipeline(transaction=False) as pipe:
            for key, dump in dumps.items():
                pipe.restore(key.replace(stream, name), 0, dump)
            pipe.execute()
