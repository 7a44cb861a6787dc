"""Notes of notes: what an hour or a day has come to, chosen from its notes, word for word. Pure.

Invariant: every line of a day is a line of one of its hours, and every line of an hour is a note,
so that each leads to the entries that it cites. Nothing is kept for it: whoever has the notes has
their hours and days, however often the worker that made them was restarted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from typing import Literal

from worker.formats.clock import EPOCH_FROM_SECONDS
from worker.formats.noted import Note

By = Literal["hour", "day"]
# Places of texts, the one that tells most first.
BestFirst = Callable[[Sequence[str]], Iterable[int]]

HOUR_SECONDS, DAY_SECONDS = 3600, 86400
MOST_OF_AN_HOUR, MOST_OF_A_DAY = 10, 20
_FIRST = {"decision": 0, "action": 1, "question": 2}  # before topics and facts


@dataclass(frozen=True)
class Period:
    """label: when it began, as people write it. num_notes: that it is chosen from."""

    label: str
    notes: tuple[Note, ...]
    num_notes: int


def periods(
    notes: Iterable[Note], times: Mapping[str, float], by: By, best_first: BestFirst
) -> list[Period]:
    """In the order of time. times: of entries, in seconds; a note belongs where its first citation
    was said, and nowhere if nobody knows when that was."""
    told = [note for note in notes if not note.is_resolved and note.cites[:1]]
    timed = [(times[note.cites[0]], note) for note in told if note.cites[0] in times]
    hours = _cut(timed, HOUR_SECONDS, MOST_OF_AN_HOUR, best_first)
    if by == "hour":
        return [_period(at, chosen, num, by) for at, chosen, num in hours]
    of_hours = [(at, note) for at, chosen, _ in hours for note in chosen]
    nums = [(at // DAY_SECONDS, num) for at, _, num in hours]
    days = _cut(of_hours, DAY_SECONDS, MOST_OF_A_DAY, best_first)
    return [
        _period(at, chosen, sum(num for day, num in nums if day == at // DAY_SECONDS), by)
        for at, chosen, _ in days
    ]


def _cut(
    timed: Sequence[tuple[float, Note]], seconds: int, most: int, best_first: BestFirst
) -> list[tuple[float, list[Note], int]]:
    """When each period began, what is chosen of it, and of how many."""
    ordered = sorted(timed, key=lambda pair: pair[0])
    grouped = groupby(ordered, key=lambda pair: pair[0] // seconds)
    found = []
    for number, those in grouped:
        notes = [note for _, note in those]
        found.append((number * seconds, _chosen(notes, most, best_first), len(notes)))
    return found


def _chosen(notes: Sequence[Note], most: int, best_first: BestFirst) -> list[Note]:
    """In the order in which they were said."""
    places = list(dict.fromkeys([*best_first([note.text for note in notes]), *range(len(notes))]))
    places.sort(key=lambda place: _FIRST.get(notes[place].kind, len(_FIRST)))
    return [notes[place] for place in sorted(places[:most])]


def _period(at: float, notes: Sequence[Note], num_notes: int, by: By) -> Period:
    return Period(_label(at, by), tuple(notes), num_notes)


def _label(at: float, by: By) -> str:
    """A day and an hour in UTC; of a talk's own clock the hours and days since its beginning."""
    if at < EPOCH_FROM_SECONDS:
        day, hour = divmod(int(at) // HOUR_SECONDS, 24)
        return f"day {day + 1}" + (f", hour {hour + 1}" if by == "hour" else "")
    shape = "%Y-%m-%d %H:00" if by == "hour" else "%Y-%m-%d"
    return datetime.fromtimestamp(at, timezone.utc).strftime(shape)
