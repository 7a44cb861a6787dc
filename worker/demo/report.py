"""The demo's account at its end: what went in, what came out, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worker.demo.output_fields import Memory, Summary
from worker.demo.state import DemoState, StreamState, progress
from worker.formats.noted import by_kind

MIB = 1024**2
SHORTEST_MEASURED_SECONDS = 10.0
"""Of talk: a shorter one is over before its speed means anything."""


@dataclass(frozen=True)
class Account:
    """What became of one stream. `missing` are ids of entries that never came out."""

    stream: str
    num_published: int
    num_lines: int
    num_restored: int
    num_rejected: int
    num_words: int
    missing: list[str]
    repeated: list[str]
    num_summaries: int
    uncovered: list[str]

    @property
    def is_complete(self) -> bool:
        return not (self.missing or self.repeated or self.uncovered)


def account(stream: StreamState) -> Account:
    """Holds for a stream whose entries are all final: one line for every entry, and what goes on
    with it."""
    published = [entry.id for entry in stream.published]
    begun = [line.entry for line in stream.lines if not line.continues]
    answered = begun + stream.rejected
    spoken = [line.entry for line in stream.lines if line.text]
    return Account(
        stream=stream.stream,
        num_published=len(published),
        num_lines=len(begun),
        num_restored=sum(line.is_restored for line in stream.lines),
        num_rejected=len(stream.rejected),
        num_words=sum(len(line.text.split()) for line in stream.lines),
        missing=_without(published, answered),
        repeated=_repeated(answered),
        num_summaries=len(stream.summaries),
        uncovered=uncovered(spoken, stream.summaries),
    )


def total(accounts: Sequence[Account]) -> Account:
    """What became of all streams together; an entry that is missing is named with its stream."""
    return Account(
        stream=f"{len(accounts)} streams, {accounts[0].stream} to {accounts[-1].stream}",
        num_published=sum(one.num_published for one in accounts),
        num_lines=sum(one.num_lines for one in accounts),
        num_restored=sum(one.num_restored for one in accounts),
        num_rejected=sum(one.num_rejected for one in accounts),
        num_words=sum(one.num_words for one in accounts),
        missing=[f"{one.stream} {entry}" for one in accounts for entry in one.missing],
        repeated=[f"{one.stream} {entry}" for one in accounts for entry in one.repeated],
        num_summaries=sum(one.num_summaries for one in accounts),
        uncovered=[f"{one.stream} {entry}" for one in accounts for entry in one.uncovered],
    )


def uncovered(spoken: Sequence[str], summaries: Iterable[Summary]) -> list[str]:
    """The entries that no summary covers: empty if the summaries' ranges tile the whole stream.

    An entry that one summary ends in the middle of belongs to the next one as well.
    """
    numbers = {entry: number for number, entry in enumerate(spoken)}
    covered: set[int] = set()
    for summary in summaries:
        if summary.first in numbers and summary.last in numbers:
            covered.update(range(numbers[summary.first], numbers[summary.last] + 1))
    return [entry for entry, number in numbers.items() if number not in covered]


def report_lines(state: DemoState) -> list[str]:
    """The report on a talk that has ended, as plain text, one fact a line."""
    accounts = [account(stream) for stream in state.streams.values()]
    lines = _account_lines(accounts[0] if len(accounts) == 1 else total(accounts))
    last = (*_notes_lines(state.shown), *_last_summary_lines(state.shown))
    return [*lines, *_memory_lines(state), *_speed_lines(state), *last]


def early_end_lines(state: DemoState) -> list[str]:
    """The report of a run that was ended before the talk was over: nothing is missing yet."""
    entries = [
        f"{name}: {len(stream.published)} of {state.num_entries} entries published, "
        f"{stream.num_answered} came out, summaries: {len(stream.summaries)}"
        for name, stream in state.streams.items()
    ]
    return ["ended early", *entries, *_memory_lines(state)]


def is_complete(state: DemoState) -> bool:
    """Whether the whole talk went in, every entry came out once, and summaries cover it all."""
    accounts = [account(stream) for stream in state.streams.values()]
    return all(one.is_complete and one.num_published >= state.num_entries for one in accounts)


def _account_lines(one: Account) -> list[str]:
    rejected = f", {one.num_rejected} rejected" if one.num_rejected else ""
    return [
        f"{one.stream}",
        f"  transcript  {one.num_published} entries in, {one.num_lines} out{rejected}, "
        f"{one.num_words:,} words, {one.num_restored} entries restored; {_fate(one)}",
        f"  summaries   {one.num_summaries}; {_cover(one)}",
    ]


def _fate(one: Account) -> str:
    if not (one.missing or one.repeated):
        return "every entry accounted for, none twice"
    return f"MISSING {_some(one.missing)}; TWICE {_some(one.repeated)}"


def _cover(one: Account) -> str:
    if one.uncovered:
        return f"NOT COVERED: {_some(one.uncovered)}"
    return "their ranges tile the whole stream without a gap"


def _memory_lines(state: DemoState) -> list[str]:
    readings = state.shown.memory
    if not readings:
        return ["memory        no readings"]
    first, third, last = readings[0], _after_a_third(readings), readings[-1]
    return [
        f"window        {last.tokens_seen:,} tokens seen, {last.tokens_slid_out:,} slid out, "
        f"{last.window_fill:,} of {last.window_size:,} in use",
        f"KV bytes      {first.kv_bytes:,} a stream at the first reading, "
        f"{last.kv_bytes:,} at the last",
        f"process RSS   {third.rss_bytes / MIB:,.1f} MiB after a third, "
        f"{last.rss_bytes / MIB:,.1f} MiB at the end",
    ]


def _after_a_third(readings: Sequence[Memory]) -> Memory:
    """The reading when a third of the tokens had been seen."""
    third = readings[-1].tokens_seen / 3
    return next(reading for reading in readings if reading.tokens_seen >= third)


def _speed_lines(state: DemoState) -> list[str]:
    whole = progress(state, now=state.ended_at or 0.0)
    if whole.talk_seconds < SHORTEST_MEASURED_SECONDS:
        return []
    seconds = max(whole.elapsed_seconds, 0.001)
    return [
        f"speed         {whole.talk_seconds / 60:.1f} min of talk in {seconds:.1f} s: "
        f"{whole.times_real_time:.1f} x real time, {whole.tokens_seen / seconds:,.0f} tokens/s"
    ]


def _notes_lines(stream: StreamState) -> list[str]:
    notes = stream.notes
    num_resolved = sum(note.is_resolved for note in notes)
    kinds = ", ".join(f"{len(those)} {kind}" for kind, those in by_kind(notes)) or "none"
    return [f"notes         {kinds}; {num_resolved} resolved"]


def _last_summary_lines(stream: StreamState) -> list[str]:
    rows = [row for one in stream.summaries[-1:] for row in one.text.splitlines()]
    return ["last summary", *(f"  {row}" for row in rows)]


def _without(entries: Sequence[str], others: Iterable[str]) -> list[str]:
    known = set(others)
    return [entry for entry in entries if entry not in known]


def _repeated(entries: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    twice = []
    for entry in entries:
        if entry in seen:
            twice.append(entry)
        seen.add(entry)
    return twice


def _some(entries: Sequence[str]) -> str:
    shown = ", ".join(entries[:5]) or "none"
    return f"{len(entries)} ({shown}{', ...' if len(entries) > 5 else ''})"
