"""What the demo knows so far: what went in, and what came out of each stream. Pure.

The conductor's thread alone writes here; the screen and the report only look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.demo.output_fields import Line, Memory, Summary
from worker.formats.noted import Note

RATE_SECONDS = 8.0
"""Tokens per second are counted over about so long: shorter jumps, longer lags."""


@dataclass(frozen=True)
class Published:
    """One entry of the input. `at` is monotonic seconds, `end` seconds of talk."""

    id: str
    at: float
    end: float


@dataclass
class StreamState:
    """One stream. `published` is in the order of the ids; so are the outputs."""

    stream: str
    published: list[Published] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)  # of the entry with this id; first is 1
    lines: list[Line] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)  # ids of the input entries
    summaries: list[Summary] = field(default_factory=list)
    note_changes: list[Note] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    pending: str = ""  # words to come
    is_closed: bool = False  # the line that ends the stream is out

    def add_published(self, entry: Published) -> None:
        self.published.append(entry)
        self.numbers[entry.id] = len(self.published)

    @property
    def notes(self) -> list[Note]:
        """As they stand, the one that was changed last at the end, without what gave way."""
        notes: dict[str, Note] = {}
        for note in self.note_changes:
            notes.pop(note.id, None)
            notes[note.id] = note
        return [note for note in notes.values() if not note.is_dropped]

    @property
    def num_answered(self) -> int:
        """Entries that came out again, as a transcript line or as a rejection."""
        num_begun = sum(not line.continues for line in self.lines)
        return min(num_begun + len(self.rejected), len(self.published))

    @property
    def is_done(self) -> bool:
        """Whether the last words of this stream are out: transcript and final summary."""
        return self.is_closed and bool(self.summaries) and self.summaries[-1].is_final


@dataclass
class DemoState:
    """All streams carry the same talk of `num_entries` entries; the screen shows the first."""

    streams: dict[str, StreamState]
    num_entries: int
    started_at: float | None = None  # monotonic seconds; None while the worker is not ready
    ended_at: float | None = None  # monotonic seconds; None while something is still to come

    @classmethod
    def of(cls, streams: list[str], num_entries: int) -> DemoState:
        return cls({name: StreamState(name) for name in streams}, num_entries)

    @property
    def shown(self) -> StreamState:
        return next(iter(self.streams.values()))

    def elapsed_seconds(self, now: float) -> float:
        """How long the talk has been going on, or went on."""
        if self.started_at is None:
            return 0.0
        return (now if self.ended_at is None else self.ended_at) - self.started_at

    @property
    def is_done(self) -> bool:
        return all(stream.is_done for stream in self.streams.values())


@dataclass(frozen=True)
class Progress:
    """How far and how fast, over all streams."""

    num_entries: int
    num_published: int
    num_answered: int
    tokens_seen: int
    elapsed_seconds: float
    talk_seconds: float  # of one stream: the end of the last entry that came out
    tokens_per_second: float
    lag_seconds: float  # how long the oldest unanswered entry has waited

    @property
    def num_waiting(self) -> int:
        return self.num_published - self.num_answered

    @property
    def times_real_time(self) -> float:
        return self.talk_seconds / self.elapsed_seconds if self.elapsed_seconds else 0.0


def progress(state: DemoState, now: float) -> Progress:
    """`now` is monotonic seconds."""
    streams = list(state.streams.values())
    shown = state.shown
    return Progress(
        num_entries=state.num_entries * len(streams),
        num_published=sum(len(stream.published) for stream in streams),
        num_answered=sum(stream.num_answered for stream in streams),
        tokens_seen=sum(_tokens_seen(stream) for stream in streams),
        elapsed_seconds=state.elapsed_seconds(now),
        talk_seconds=shown.published[shown.num_answered - 1].end if shown.num_answered else 0.0,
        tokens_per_second=sum(_tokens_per_second(stream) for stream in streams),
        lag_seconds=max(_lag_seconds(stream, now) for stream in streams),
    )


def _tokens_seen(stream: StreamState) -> int:
    return stream.memory[-1].tokens_seen if stream.memory else 0


def _tokens_per_second(stream: StreamState) -> float:
    if not stream.memory:
        return 0.0
    last = stream.memory[-1]
    first = next(m for m in stream.memory if m.at >= last.at - RATE_SECONDS)
    if last.at <= first.at:
        return 0.0
    return (last.tokens_seen - first.tokens_seen) / (last.at - first.at)


def _lag_seconds(stream: StreamState, now: float) -> float:
    if stream.num_answered == len(stream.published):
        return 0.0
    return max(now - stream.published[stream.num_answered].at, 0.0)
