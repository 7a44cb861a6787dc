"""A whole book through a worker's pipeline: python -m tests.bench.book FILE

Is the memory level, is every word in the transcript, is every entry covered by a summary? The last
line is JSON; exit status 1 if something is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from redis import Redis

from worker.formats.reading import read_file
from worker.keyspace.connection import connect
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.publisher import Publisher
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.watch.metrics import Metrics
from worker.watch.steady_registry import SteadyRegistry

STREAM = "live:book"
KEYS = stream_keys(STREAM)
AHEAD = 200  # entries that wait to be read
NUM_LINES = 12


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.book", description=__doc__)
    parser.add_argument("file", type=Path, help="what `weir publish` reads")
    entries = list(read_file(parser.parse_args().file.read_bytes()).entries)
    num_words = sum(len(fields["text"].split()) for fields in entries)
    began = time.monotonic()
    with TemporaryDirectory() as folder, EmbeddedServer() as server:
        settings = Settings(
            redis_url=server.url, snapshot_dir=Path(folder), summary_seconds=1e9, restore="off"
        )
        pipeline = Pipeline.open(settings, Metrics(SteadyRegistry()))
        with connect(settings) as redis:
            rss = [_rss_mb() for _ in _read(pipeline, redis, entries)]
            found = _found(redis)
        pipeline.close(0.0)
    figures = {
        "words": num_words,
        **found,
        "rss_mb_at_a_third": rss[len(rss) // 3],
        "rss_mb_at_the_end": rss[-1],
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(figures))
    return int(found["words_told"] != num_words or found["entries_in_no_summary"] > 0)


def _read(pipeline: Pipeline, redis: Redis, entries: list[dict[str, str]]) -> Iterator[None]:
    """Until the stream is closed; yields now and then on the way."""
    publisher = Publisher(redis, STREAM)
    pipeline.adopt(STREAM)
    num_published, has_ended = 0, False
    every = max(1, len(entries) // NUM_LINES)
    while pipeline.run_once() or not has_ended:
        if has_ended or num_published - redis.xlen(KEYS.transcript) >= AHEAD:
            continue
        batch = entries[num_published : num_published + AHEAD // 2]
        publisher.publish(batch or [{"end_of_stream": "1"}])
        has_ended = not batch
        if num_published // every != (num_published + len(batch)) // every or has_ended:
            sys.stderr.write(f"{num_published} of {len(entries)} entries, {_rss_mb()} MiB\n")
            yield
        num_published += len(batch)


def _found(redis: Redis) -> dict[str, int]:
    """Of what came out. An entry without words, as the end of the stream is, needs no summary."""
    lines = [fields for _, fields in redis.xrange(KEYS.transcript)]
    places = {f[b"entry"]: n for n, f in enumerate(f for f in lines if f.get(b"text"))}
    covered = set[int]()
    summaries = [fields for _, fields in redis.xrange(KEYS.summary)]
    for fields in summaries:
        first, last = (places.get(fields[name], len(places) - 1) for name in (b"first", b"last"))
        covered |= set(range(first, last + 1))
    return {
        "entries": len(places),
        "words_told": sum(len(f.get(b"text", b"").split()) for f in lines),
        "summaries": len(summaries),
        "entries_in_no_summary": len(places) - len(covered),
        "notes": redis.xlen(KEYS.notes),
        "checkpoint_bytes": redis.memory_usage(KEYS.state) or 0,
    }


def _rss_mb() -> int:
    return round(psutil.Process().memory_info().rss / 2**20)


if __name__ == "__main__":
    sys.exit(main())
