"""A reading as Prometheus has it: every figure of `weir exporter`, by its name.

No series for what is not known. A name of a stream is a label only of the worst few, so that there
are never more series than somebody can look at.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from worker.exporter.reading import Reading
from worker.intake.entries import id_seconds
from worker.keyspace.figures import STATUSES, StreamFigures
from worker.keyspace.lease import process_of

TROUBLED = ("failing", "broken")
MAX_NAME_LENGTH = 200


def up(answers: bool) -> Metric:
    """Beside the families of a reading, or alone."""
    return _gauge("weir_redis_up", "1: Redis answered; 0: not, and no other figure.", answers)


def families(reading: Reading, *, num_worst: int) -> Iterator[Metric]:
    yield from _of_the_server(reading)
    yield from _of_all_streams(reading)
    yield from _of_the_worst(reading, num_worst)


def _of_the_server(reading: Reading) -> Iterator[Metric]:
    server = reading.server
    yield _gauge("weir_redis_read_seconds", "How long this reading took.", reading.took_seconds)
    yield _gauge("weir_redis_memory_used_bytes", "Memory of the server.", server.used_bytes)
    most = GaugeMetricFamily("weir_redis_memory_max_bytes", "Its maxmemory; none: no series.")
    if server.most_bytes:
        most.add_metric([], server.most_bytes)
    yield most
    yield _gauge("weir_redis_clients", "Connections of the server.", server.num_clients)
    yield _gauge(
        "weir_redis_writes_to_disk",
        "1: its last write to a file went well.",
        server.writes_to_disk,
    )
    yield CounterMetricFamily("weir_redis_commands", "Commands done.", server.num_commands)
    yield CounterMetricFamily(
        "weir_redis_evicted_keys", "Keys thrown away for want of memory.", server.num_evicted_keys
    )


def _of_all_streams(reading: Reading) -> Iterator[Metric]:
    streams = reading.streams
    counts = Counter((line.status, line.owner is not None) for line in streams)
    known = GaugeMetricFamily(
        "weir_known_streams", "All streams, each once.", labels=["state", "owned"]
    )
    for status in STATUSES:
        for owned, answer in ((True, "yes"), (False, "no")):
            known.add_metric([status, answer], counts[status, owned])
    yield known
    waiting = sum(bool(line.is_waiting) for line in streams)
    yield _gauge("weir_waiting_streams", "Streams that need a worker and have none.", waiting)
    unread = sum(line.lag_entries for line in streams)
    yield _gauge("weir_unread_entries", "Entries that nobody has read, of all streams.", unread)
    tokens = sum(line.tokens_seen or 0 for line in streams)
    yield _gauge("weir_seen_tokens", "Tokens that the streams have had, since their start.", tokens)
    until = min((_read_until(line, reading) for line in streams), default=reading.at_seconds)
    yield _gauge(
        "weir_read_until_timestamp_seconds", "All that was published before this is read.", until
    )
    owned_by = GaugeMetricFamily("weir_owned_streams", "Streams by owner.", labels=["owner"])
    for process, num in Counter(process_of(line.owner) for line in streams if line.owner).items():
        owned_by.add_metric([process], num)
    yield owned_by


def _of_the_worst(reading: Reading, num_worst: int) -> Iterator[Metric]:
    entries = GaugeMetricFamily(
        "weir_stream_unread_entries", "Of those furthest behind.", labels=["stream"]
    )
    until = GaugeMetricFamily(
        "weir_stream_read_until_timestamp_seconds", "Of those furthest behind.", labels=["stream"]
    )
    behind = {_name(line): line for line in reading.streams if line.lag_entries}
    for name in heapq.nsmallest(
        num_worst, behind, lambda n: (_read_until(behind[n], reading), -behind[n].lag_entries)
    ):
        entries.add_metric([name], behind[name].lag_entries)
        until.add_metric([name], _read_until(behind[name], reading))
    trouble = GaugeMetricFamily(
        "weir_stream_trouble", "1 for some that fail or are broken.", labels=["stream", "state"]
    )
    troubled = {_name(line): line.status for line in reading.streams if line.status in TROUBLED}
    for name, status in list(troubled.items())[:num_worst]:
        trouble.add_metric([name, status], 1)
    yield from (entries, until, trouble)


def _read_until(line: StreamFigures, reading: Reading) -> float:
    """Of one whose ids are no times, and of one that is read to its end: now."""
    oldest = id_seconds(line.oldest_unread) if line.oldest_unread else None
    return reading.at_seconds if oldest is None else min(oldest, reading.at_seconds)


def _name(line: StreamFigures) -> str:
    """A key may be a megabyte long, and a series' name must be one of a kind."""
    if len(line.stream) <= MAX_NAME_LENGTH:
        return line.stream
    return f"{line.stream[:MAX_NAME_LENGTH]}… ({len(line.stream)} letters)"


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))
