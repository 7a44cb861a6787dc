"""Notes as people read them, and as JSON: each with where it was said. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from worker.formats.clock import clock
from worker.formats.noted import Note, by_kind
from worker.formats.periods import Period
from worker.formats.writing.documents import escaped

_HEADS = {
    "topic": "Topics",
    "decision": "Decisions",
    "action": "Actions",
    "question": "Questions",
    "fact": "Said",
}
_CHANGED = {"add": "new", "revise": "revised", "resolve": "resolved", "drop": "dropped"}


@dataclass(frozen=True)
class Place:
    """Where something was said. start: seconds of the talk, None if nobody knows."""

    entry: str
    speaker: str = ""
    start: float | None = None

    def __str__(self) -> str:
        told = " ".join(part for part in (self.speaker, self._at) if part)
        return f"{told}, {self.entry}" if told else self.entry

    @property
    def _at(self) -> str:
        return "" if self.start is None else clock(self.start)


Places = Mapping[str, Place]


def markdown(notes: Iterable[Note], stream: str, places: Places) -> Iterator[str]:
    """A page: a head for each kind, what is resolved struck out, what gave way left out."""
    yield f"# Notes of {escaped(stream)}\n"
    for kind, those in by_kind(notes):
        yield f"\n## {_HEADS.get(kind, kind)}\n\n"
        for note in those:
            yield f"* {_line(note, places)}\n"


def period_page(found: Iterable[Period], stream: str, places: Places) -> Iterator[str]:
    """A head for each hour or day, with how many notes its lines are chosen from."""
    yield f"# Notes of {escaped(stream)}\n"
    for period in found:
        num = f"{len(period.notes)} of {period.num_notes} notes"
        yield f"\n## {escaped(period.label)} ({num})\n\n"
        for note in period.notes:
            yield f"* {note.kind} {_line(note, places)}\n"


def period_json(period: Period, places: Places) -> str:
    notes = [json.loads(json_line(note, places)) for note in period.notes]
    shown = {"period": period.label, "of": period.num_notes, "notes": notes}
    return json.dumps(shown, ensure_ascii=False) + "\n"


def change_line(note: Note) -> str:
    """`[action 7, new] I will send it by Friday. (Ann; by Friday)`"""
    changed = _CHANGED.get(note.change, note.change)
    about = "; ".join(part for part in (note.who, note.due) if part)
    return f"[{note.kind} {note.id}, {changed}] {note.text}" + (f" ({about})" if about else "")


def json_line(note: Note, places: Places) -> str:
    shown = asdict(note) | {"cites": [asdict(place) for place in _cited(note, places)]}
    del shown["change"]
    return json.dumps(shown, ensure_ascii=False) + "\n"


def _line(note: Note, places: Places) -> str:
    text = escaped(note.text)
    about = [f"due: {note.due}"] if note.due else []
    about = [f"who: {note.who}", *about] if note.who else about
    told = f" ({escaped('; '.join(about))})" if about else ""
    cites = escaped("; ".join(map(str, _cited(note, places))))
    return f"**{note.id}** {f'~~{text}~~' if note.is_resolved else text}{told} \\[{cites}\\]"


def _cited(note: Note, places: Places) -> list[Place]:
    return [places.get(entry, Place(entry)) for entry in note.cites]
