"""Every Prometheus metric of a worker, in one place, and the verbs that move them.

Base units, prefix `weir_`, and no label whose values grow with the number of streams: what one
stream does is in its `weir:{...}:memory` key. How far they are behind is told by `weir exporter`,
which knows it when this process is dead. Each verb may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from worker.watch.cuda_memory import CudaMemory

if TYPE_CHECKING:
    from engine import MemoryReport, StepReport

OWNED_STATES = ("live", "idle")
CLAIMS = ("number", "name")
CHANGES = ("add", "revise", "resolve", "drop")
VIEWS = ("summary", "transcript", "prompt")
# Not imported from the engine: what only sends messages waits for no torch.
PLACES = ("row", "host", "disk")
MOVES = ("park", "store", "fetch", "seat")
LOSSES = ("not_stored", "not_fetched")
# taken: another has the stream, its lease ran out; older: the server has lost commits of it.
LEASES_LOST = ("taken", "older")

_STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5)
_VIEW_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
_SNAPSHOT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECOVERY_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_POWERS_OF_TWO = tuple(2**n for n in range(13))


# Of entries: "duplicate" (a final again), "late" (a hypothesis whose final is there), "repeated"
# (the same id), "empty" (no words, and nothing to close). Of words: "reworded" (a final has them
# where others were settled), "moved" (they were another segment's, and published as that).
LEFT_OUT = ("duplicate", "late", "repeated", "empty", "reworded", "moved")


class Metrics:
    """One worker's figures, registered in `registry`; the pipeline tells it what happened.

    `rejections` names every class of rejection there is, `fields` every field of an entry that may
    be unreadable, `bad_messages` every class of control message that is set aside, so that each is
    exported as 0 from the start and an alert on its increase sees the first one.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        rejections: Sequence[str] = (),
        fields: Sequence[str] = (),
        bad_messages: Sequence[str] = (),
    ) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        registry.register(CudaMemory())
        self._add_memory()
        self._add_parking()
        self._add_streams(rejections, fields)
        self._add_steps()
        self._add_durability()
        self._add_messages(bad_messages)

    # ------------------------------------------------------------------ verbs

    def describe(self, *, model: str, device: str, dtype: str) -> None:
        """What this worker runs: the labels of `weir_engine_info`."""
        self._engine.info(
            {"version": version("weir"), "model": model, "device": device, "dtype": dtype}
        )

    def watch_heartbeat(self, age_seconds: Callable[[], float]) -> None:
        """Ask `age_seconds` at each scrape how long ago the engine thread last went round."""
        self._heartbeat_age.set_function(age_seconds)

    def engine_loaded(self) -> None:
        """Before that its thread cannot go round, and is not stuck."""
        self._engine_loaded.set(1)

    def memory(self, report: MemoryReport) -> None:
        """The engine's rows and their bytes, which add up to the same total for ever, and the
        sessions: each is in a row, in host memory or on disk."""
        in_use, free = report.rows_in_use, report.rows_free
        self._kv_rows.labels("in_use").set(in_use)
        self._kv_rows.labels("free").set(free)
        self._kv_bytes.labels("in_use").set(in_use * report.bytes_per_row)
        self._kv_bytes.labels("free").set(free * report.bytes_per_row)
        self._sessions.labels("row").set(in_use)
        self._sessions.labels("host").set(report.parked_in_host)
        self._sessions.labels("disk").set(report.parked_on_disk)
        self._parked_bytes.labels("host").set(report.host_bytes)
        self._parked_bytes.labels("disk").set(report.disk_bytes)

    def step(self, report: StepReport) -> None:
        """One engine step that had work to do; of an empty one only its moves are counted."""
        for move, moved in report.moves.items():
            self._moves.labels(move).inc(moved.num_sessions)
            self._move_seconds.labels(move).inc(moved.seconds)
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

    def left_out(self, why: str, num: int) -> None:
        """Entries that said again what was said before, or words that a final has otherwise."""
        self._left_out.labels(why).inc(num)

    def rejected(self, kind: str) -> None:
        """One entry went to a `:rejected` stream; `kind` is the class, never the full sentence."""
        self._entries_rejected.labels(kind).inc()

    def unread(self, fields: Sequence[str]) -> None:
        """These fields of an entry could not be read; its words were taken all the same."""
        for name in fields:
            self._fields_unread.labels(name).inc()

    def streams(self, counts: Mapping[str, int]) -> None:
        """How many owned streams are in each of `OWNED_STATES`; a state not named has none."""
        for state in OWNED_STATES:
            self._streams.labels(state).set(counts.get(state, 0))

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

    def noted(self, change: str) -> None:
        """The notes of a stream were changed; `change` is one of `CHANGES`."""
        self._notes.labels(change).inc()

    def prevented(self, what: str, num: int) -> None:
        """The model would have noted that many numbers or names that nobody said; `what` is one of
        `CLAIMS`."""
        self._prevented.labels(what).inc(num)

    def committed(self, seconds: float, num_entries: int) -> None:
        """Outputs and checkpoint of `num_entries` entries moved together."""
        self._commit_seconds.observe(seconds)
        self._entries_committed.inc(num_entries)

    def commit_refused(self) -> None:
        """This worker's epoch was over: another owns the stream now."""
        self._commits_refused.inc()

    def lease_lost(self, why: str) -> None:
        """A stream could not be kept; `why` is one of `LEASES_LOST`."""
        self._leases_lost.labels(why).inc()

    def stream_failed(self) -> None:
        """Work on one stream raised something unforeseen; that stream was dropped."""
        self._stream_failures.inc()

    def snapshot(self, seconds: float, num_bytes: int) -> None:
        """A session was written to disk."""
        self._snapshot_seconds.observe(seconds)
        self._snapshot_bytes.inc(num_bytes)

    def session_lost(self, reason: str) -> None:
        """A parked session could not be kept, or not be read again; `reason` is one of `LOSSES`."""
        self._sessions_lost.labels(reason).inc()

    def engine_failed(self) -> None:
        """A step raised what no retry mends; the process ends after it."""
        self._engine_failures.inc()

    def message_rejected(self, kind: str) -> None:
        """A control message was set aside; `kind` is the class, never the full sentence."""
        self._messages_rejected.labels(kind).inc()

    def redis_failed(self) -> None:
        """The server did not answer; the worker backs off and connects again."""
        self._redis_errors.inc()

    # ------------------------------------------------------------------ names

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)

    def _show(self, values: Sequence[str], *metrics: Counter | Gauge | Histogram) -> None:
        """Export 0 for every value of the one label that they have."""
        for metric in metrics:
            for value in values:
                metric.labels(value)

    def _add_memory(self) -> None:
        self._engine = Info("weir_engine", "What the engine runs.", registry=self.registry)
        self._kv_bytes = self._gauge("weir_kv_cache_bytes", "Bytes of the KV rows.", "state")
        self._kv_rows = self._gauge("weir_kv_cache_rows", "KV rows by state.", "state")
        resident = self._gauge("weir_resident_memory_bytes", "Memory of this process in RAM.")
        process = psutil.Process()
        resident.set_function(lambda: float(process.memory_info().rss))
        self._engine_loaded = self._gauge("weir_engine_loaded", "1 once the engine is loaded.")
        self._heartbeat_age = self._gauge(
            "weir_engine_heartbeat_age_seconds", "Since the engine thread last went round."
        )

    def _add_parking(self) -> None:
        self._sessions = self._gauge("weir_sessions", "Open sessions by place.", "place")
        self._parked_bytes = self._gauge(
            "weir_parked_bytes", "Bytes of parked sessions by place.", "place"
        )
        self._moves = self._counter(
            "weir_parking_moves", "Sessions moved between row, host memory and disk.", "move"
        )
        self._move_seconds = self._counter(
            "weir_parking_seconds", "Time that these moves took.", "move"
        )
        self._sessions_lost = self._counter(
            "weir_sessions_lost", "Parked sessions that must be rebuilt.", "reason"
        )
        self._show(PLACES, self._sessions)
        self._show(PLACES[1:], self._parked_bytes)
        self._show(MOVES, self._moves, self._move_seconds)
        self._show(LOSSES, self._sessions_lost)

    def _add_streams(self, rejections: Sequence[str], fields: Sequence[str]) -> None:
        self._streams = self._gauge("weir_streams", "Streams that it owns, by state.", "state")
        self._streams_closed = self._counter(
            "weir_streams_closed", "Streams that reached their end."
        )
        self._entries_read = self._counter("weir_entries_read", "Entries taken in.")
        self._entries_rejected = self._counter(
            "weir_entries_rejected", "Entries refused, by reason.", "reason"
        )
        self._show(rejections, self._entries_rejected)
        self._fields_unread = self._counter(
            "weir_entry_fields_unread", "Fields beside the text that could not be read.", "field"
        )
        self._show(fields, self._fields_unread)
        self._left_out = self._counter(
            "weir_left_out", "What was left out of transcripts, and is no rejection.", "reason"
        )
        self._show(LEFT_OUT, self._left_out)
        self.streams({})

    def _add_steps(self) -> None:
        self._tokens_in = self._counter("weir_tokens_in", "Tokens of streams fed.")
        self._tokens_generated = self._counter("weir_tokens_generated", "Tokens decoded for views.")
        self._tokens_slid_out = self._counter(
            "weir_tokens_slid_out", "Tokens that left a stream's window."
        )
        self._step_seconds = self._histogram(
            "weir_step_duration_seconds",
            "One forward pass of every session with work.",
            _STEP_SECONDS,
        )
        self._step_sessions = self._histogram(
            "weir_step_sessions", "Sessions in a step.", _POWERS_OF_TWO
        )
        self._step_tokens = self._histogram("weir_step_tokens", "Tokens in a step.", _POWERS_OF_TWO)
        self._summaries = self._counter("weir_summaries", "Summaries written.")
        self._notes = self._counter("weir_notes", "Changes of notes, by what was done.", "change")
        self._show(CHANGES, self._notes)
        self._prevented = self._counter(
            "weir_notes_prevented",
            "Numbers and names that nobody said, kept out of notes.",
            "reason",
        )
        self._show(CLAIMS, self._prevented)
        self._view_seconds = self._histogram(
            "weir_view_duration_seconds",
            "From a view's request to its last token.",
            _VIEW_SECONDS,
            "view",
        )
        self._show(VIEWS, self._view_seconds)

    def _add_durability(self) -> None:
        self._commit_seconds = self._histogram(
            "weir_commit_duration_seconds",
            "Outputs and checkpoint, one script call.",
            _COMMIT_SECONDS,
        )
        self._entries_committed = self._counter(
            "weir_entries_committed", "Entries whose outputs are durable."
        )
        self._commits_refused = self._counter(
            "weir_commits_refused", "Writes of an owner whose time was over."
        )
        self._leases_lost = self._counter(
            "weir_leases_lost", "Streams that could not be kept, by reason.", "reason"
        )
        self._show(LEASES_LOST, self._leases_lost)
        self._stream_failures = self._counter(
            "weir_stream_failures", "Streams dropped after an unforeseen error."
        )
        self._snapshot_seconds = self._histogram(
            "weir_snapshot_duration_seconds", "A session written to disk.", _SNAPSHOT_SECONDS
        )
        self._snapshot_bytes = self._counter(
            "weir_snapshot_bytes", "Bytes of sessions written to disk."
        )
        self._recovery_seconds = self._histogram(
            "weir_recovery_duration_seconds",
            "From a stream's lease to its session being where it was.",
            _RECOVERY_SECONDS,
        )
        self._engine_failures = self._counter(
            "weir_engine_failures", "Steps that ended the process."
        )
        self._redis_errors = self._counter(
            "weir_redis_connection_errors", "Times the server did not answer."
        )

    def _add_messages(self, bad_messages: Sequence[str]) -> None:
        self._messages_rejected = self._counter(
            "weir_control_messages_rejected", "Control messages set aside, by reason.", "reason"
        )
        self._show(bad_messages, self._messages_rejected)
