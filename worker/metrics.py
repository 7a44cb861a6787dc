"""Every Prometheus metric of a worker, in one place, and the verbs that move them.

Base units, prefix `weir_`, and no label whose values grow with the number of streams: what one
stream does is in its `weir:{...}:memory` key. Each verb may be called from any thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from engine import MemoryReport, StepReport

OWNED_STATES = ("live", "idle")
VIEWS = ("summary", "transcript", "prompt")

_STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5)
_VIEW_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
_SNAPSHOT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECOVERY_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_POWERS_OF_TWO = tuple(2**n for n in range(13))


class Metrics:
    """One worker's figures, registered in `registry`; the pipeline tells it what happened.

    `rejections` names every class of rejection there is, so that each is exported as 0 from the
    start and an alert on its increase sees the first one.
    """

    def __init__(self, registry: CollectorRegistry, *, rejections: Sequence[str] = ()) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        registry.register(CudaMemory())
        self._add_memory(registry)
        self._add_streams(registry, rejections)
        self._add_steps(registry)
        self._add_durability(registry)

    # ------------------------------------------------------------------ verbs

    def describe(self, *, model: str, device: str, dtype: str) -> None:
        """What this worker runs: the labels of `weir_engine_info`."""
        self._engine.info({"model": model, "device": device, "dtype": dtype})

    def watch_heartbeat(self, age_seconds: Callable[[], float]) -> None:
        """Ask `age_seconds` at each scrape how long ago the engine thread last went round."""
        self._heartbeat_age.set_function(age_seconds)

    def memory(self, report: MemoryReport) -> None:
        """The engine's rows and their bytes, which add up to the same total for ever."""
        in_use, free = report.rows_in_use, report.rows_free
        self._kv_rows.labels("in_use").set(in_use)
        self._kv_rows.labels("free").set(free)
        self._kv_bytes.labels("in_use").set(in_use * report.bytes_per_row)
        self._kv_bytes.labels("free").set(free * report.bytes_per_row)

    def step(self, report: StepReport) -> None:
        """One engine step that had work to do; an empty step is not counted."""
        if report.num_sessions == 0:
            return
        self._step_seconds.observe(report.seconds)
        self._step_sessions.observe(report.num_sessions)
        self._step_tokens.observe(report.num_tokens)
        self._tokens_generated.inc(report.num_generated)

    def read(self, num_entries: int) -> None:
        """Entries taken in from streams, good and bad."""
        self._entries_read.inc(num_entries)

    def fed(self, num_tokens: int) -> None:
        """Tokens of a stream given to its session."""
        self._tokens_in.inc(num_tokens)

    def slid_out(self, num_tokens: int) -> None:
        """That many tokens left the windows of streams; what copies forget is not counted."""
        self._tokens_slid_out.inc(num_tokens)

    def rejected(self, kind: str) -> None:
        """One entry went to a `:rejected` stream; `kind` is the class, never the full sentence."""
        self._entries_rejected.labels(kind).inc()

    def streams(self, counts: Mapping[str, int]) -> None:
        """How many owned streams are in each of `OWNED_STATES`; a state not named has none."""
        for state in OWNED_STATES:
            self._streams.labels(state).set(counts.get(state, 0))

    def unowned(self, num_streams: int) -> None:
        """Streams that need an owner and have none; 0 in a worker that did not look this time."""
        self._streams.labels("unowned").set(num_streams)

    def lag(self, *, entries: Sequence[int], seconds: Sequence[float]) -> None:
        """Unread entries, and seconds behind, one number for each owned stream."""
        self._lag_entries.set(sum(entries))
        self._lag_entries_max.set(max(entries, default=0))
        self._lag_seconds.set(sum(seconds))
        self._lag_seconds_max.set(max(seconds, default=0))

    def adopted(self, recovery_seconds: float) -> None:
        """A stream was taken over; seconds from its lease to its session being where it was."""
        self._recovery_seconds.observe(recovery_seconds)

    def closed(self) -> None:
        """A stream reached its end."""
        self._streams_closed.inc()

    def view(self, view: str, seconds: float) -> None:
        """One output of a view in `VIEWS` is done; seconds from its request to its last token."""
        self._view_seconds.labels(view).observe(seconds)
        if view == "summary":
            self._summaries.inc()

    def committed(self, seconds: float, num_entries: int) -> None:
        """Outputs and checkpoint of `num_entries` entries moved together."""
        self._commit_seconds.observe(seconds)
        self._entries_committed.inc(num_entries)

    def commit_refused(self) -> None:
        """This worker's epoch was over: another owns the stream now."""
        self._commits_refused.inc()

    def stream_failed(self) -> None:
        """Work on one stream raised something unforeseen; that stream was dropped."""
        self._stream_failures.inc()

    def snapshot(self, seconds: float, num_bytes: int) -> None:
        """A session was written to disk."""
        self._snapshot_seconds.observe(seconds)
        self._snapshot_bytes.inc(num_bytes)

    def engine_failed(self) -> None:
        """A step raised what no retry mends; the process ends after it."""
        self._engine_failures.inc()

    def redis_failed(self) -> None:
        """The server did not answer; the worker backs off and connects again."""
        self._redis_errors.inc()

    # ------------------------------------------------------------------ names

    def _add_memory(self, registry: CollectorRegistry) -> None:
        self._engine = Info("weir_engine", "What the engine runs.", registry=registry)
        self._kv_bytes = Gauge(
            "weir_kv_cache_bytes", "Bytes of the KV rows.", ["state"], registry=registry
        )
        self._kv_rows = Gauge(
            "weir_kv_cache_rows", "KV rows, one per session.", ["state"], registry=registry
        )
        resident = Gauge(
            "weir_resident_memory_bytes", "Memory of this process in RAM.", registry=registry
        )
        process = psutil.Process()
        resident.set_function(lambda: float(process.memory_info().rss))
        self._heartbeat_age = Gauge(
            "weir_engine_heartbeat_age_seconds",
            "Since the engine thread last went round.",
            registry=registry,
        )

    def _add_streams(self, registry: CollectorRegistry, rejections: Sequence[str]) -> None:
        self._streams = Gauge("weir_streams", "Streams by state.", ["state"], registry=registry)
        self._streams_closed = Counter(
            "weir_streams_closed", "Streams that reached their end.", registry=registry
        )
        self._entries_read = Counter("weir_entries_read", "Entries taken in.", registry=registry)
        self._entries_rejected = Counter(
            "weir_entries_rejected", "Entries refused, by reason.", ["reason"], registry=registry
        )
        for kind in rejections:
            self._entries_rejected.labels(kind)
        self._lag_entries = Gauge(
            "weir_lag_entries", "Unread entries, all owned streams together.", registry=registry
        )
        self._lag_entries_max = Gauge(
            "weir_lag_entries_max",
            "Unread entries, the worst stream.",
            registry=registry,
        )
        self._lag_seconds = Gauge(
            "weir_lag_seconds", "Age of unread entries, summed over streams.", registry=registry
        )
        self._lag_seconds_max = Gauge(
            "weir_lag_seconds_max", "Age of unread entries, the worst stream.", registry=registry
        )
        self.streams({})
        self.unowned(0)

    def _add_steps(self, registry: CollectorRegistry) -> None:
        self._tokens_in = Counter("weir_tokens_in", "Tokens of streams fed.", registry=registry)
        self._tokens_generated = Counter(
            "weir_tokens_generated", "Tokens decoded for views.", registry=registry
        )
        self._tokens_slid_out = Counter(
            "weir_tokens_slid_out", "Tokens that left a stream's window.", registry=registry
        )
        self._step_seconds = Histogram(
            "weir_step_duration_seconds",
            "One forward pass of every session with work.",
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        self._step_sessions = Histogram(
            "weir_step_sessions", "Sessions in a step.", buckets=_POWERS_OF_TWO, registry=registry
        )
        self._step_tokens = Histogram(
            "weir_step_tokens", "Tokens in a step.", buckets=_POWERS_OF_TWO, registry=registry
        )
        self._summaries = Counter("weir_summaries", "Summaries written.", registry=registry)
        self._view_seconds = Histogram(
            "weir_view_duration_seconds",
            "From a view's request to its last token.",
            ["view"],
            buckets=_VIEW_SECONDS,
            registry=registry,
        )
        for view in VIEWS:
            self._view_seconds.labels(view)

    def _add_durability(self, registry: CollectorRegistry) -> None:
        self._commit_seconds = Histogram(
            "weir_commit_duration_seconds",
            "Outputs and checkpoint, one script call.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self._entries_committed = Counter(
            "weir_entries_committed", "Entries whose outputs are durable.", registry=registry
        )
        self._commits_refused = Counter(
            "weir_commits_refused", "Writes of an owner whose time was over.", registry=registry
        )
        self._stream_failures = Counter(
            "weir_stream_failures", "Streams dropped after an unforeseen error.", registry=registry
        )
        self._snapshot_seconds = Histogram(
            "weir_snapshot_duration_seconds",
            "A session written to disk.",
            buckets=_SNAPSHOT_SECONDS,
            registry=registry,
        )
        self._snapshot_bytes = Counter(
            "weir_snapshot_bytes", "Bytes of sessions written to disk.", registry=registry
        )
        self._recovery_seconds = Histogram(
            "weir_recovery_duration_seconds",
            "From a stream's lease to its session being where it was.",
            buckets=_RECOVERY_SECONDS,
            registry=registry,
        )
        self._engine_failures = Counter(
            "weir_engine_failures", "Steps that ended the process.", registry=registry
        )
        self._redis_errors = Counter(
            "weir_redis_connection_errors", "Times the server did not answer.", registry=registry
        )


class CudaMemory(Collector):
    """Bytes that torch holds on each CUDA device, asked at each scrape; no series without CUDA."""

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "weir_cuda_memory_allocated_bytes", "Tensors on a CUDA device.", labels=["device"]
        )
        # Not imported here: a process that has no torch yet has no CUDA memory either.
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            for index in range(torch.cuda.device_count()):
                family.add_metric([f"cuda:{index}"], torch.cuda.memory_allocated(index))
        yield family
