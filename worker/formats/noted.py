"""The notes of a stream as they stand, out of the changes that are published. Pure.

Each change has the whole item as it is after it, so the last one of an id is the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

KINDS = ("topic", "decision", "action", "question", "fact")
_RESOLVED, _DROPPED = "resolved", "dropped"


@dataclass(frozen=True)
class Note:
    """change: what was done last. cites: ids of input entries."""

    id: str
    kind: str
    text: str
    who: str
    due: str
    cites: tuple[str, ...]
    rev: int
    status: str
    change: str

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Note:
        """What is missing or odd, because others wrote it, is shown as it is."""
        return cls(
            id=fields.get("id", ""),
            kind=fields.get("kind", ""),
            text=fields.get("text", ""),
            who=fields.get("who", ""),
            due=fields.get("due", ""),
            cites=tuple(fields.get("cites", "").split()),
            rev=int(rev) if (rev := fields.get("rev", "")).isdecimal() else 0,
            status=fields.get("status", ""),
            change=fields.get("change", ""),
        )

    @property
    def is_resolved(self) -> bool:
        return self.status == _RESOLVED

    @property
    def is_dropped(self) -> bool:
        """Whether it gave way to what tells more."""
        return self.status == _DROPPED


def present(changes: Iterable[Mapping[str, str]]) -> list[Note]:
    """Every item as it is now, in the order in which they were made."""
    notes: dict[str, Note] = {}
    for fields in changes:
        note = Note.of(fields)
        notes[note.id] = note
    return list(notes.values())


def by_kind(notes: Iterable[Note]) -> Iterator[tuple[str, list[Note]]]:
    """Kind after kind, those that nobody knows last; without the kinds that there are none of, and
    without what gave way."""
    kinds: dict[str, list[Note]] = {kind: [] for kind in KINDS}
    for note in (one for one in notes if not one.is_dropped):
        kinds.setdefault(note.kind, []).append(note)
    return ((kind, those) for kind, those in kinds.items() if those)
