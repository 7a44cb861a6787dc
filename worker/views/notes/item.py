"""One item of the notes, and what a step may do with items. Immutable, pure.

`cites` are ids of input entries. `status` is "open" while the item holds; "resolved" is a question
that was answered, an action that was done, anything that holds no more; "dropped" gave way to what
tells more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Kind = Literal["topic", "decision", "action", "question", "fact"]
Status = Literal["open", "resolved", "dropped"]

KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_CITES = 8


@dataclass(frozen=True)
class Item:
    """id: a number, never used again. first_text: what it said when it was made."""

    id: str
    kind: Kind
    text: str
    who: str = ""
    due: str = ""
    cites: tuple[str, ...] = ()
    rev: int = 1
    status: Status = "open"
    first_text: str = ""

    def citing(self, cites: Sequence[str]) -> Item:
        """With these as well: the first stay, for they say where it comes from."""
        return replace(self, cites=tuple(dict.fromkeys((*self.cites, *cites)))[:MAX_CITES])

    def fields(self) -> dict[str, str]:
        """Of the stream entry that tells of a change."""
        return {
            "id": self.id,
            "kind": self.kind,
            "text": self.text,
            "who": self.who,
            "due": self.due,
            "cites": " ".join(self.cites),
            "rev": str(self.rev),
            "status": self.status,
        }

    def to_json(self) -> list[Any]:
        first_text = "" if self.first_text == self.text else self.first_text
        known = (self.id, self.kind, self.text, self.who, self.due, list(self.cites))
        return [*known, self.rev, self.status, first_text]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Item:
        id, kind, text, who, due, cites, rev, status, first_text = state
        return cls(id, kind, text, who, due, tuple(cites), rev, status, first_text or text)


@dataclass(frozen=True)
class Add:
    kind: Kind
    text: str
    cites: tuple[str, ...]
    who: str = ""
    due: str = ""


@dataclass(frozen=True)
class Revise:
    """The item says this now, in other words or with more."""

    id: str
    text: str
    cites: tuple[str, ...]
    who: str = ""
    due: str = ""


@dataclass(frozen=True)
class Resolve:
    id: str
    cites: tuple[str, ...]


@dataclass(frozen=True)
class Drop:
    """The item gives way to what tells more."""

    id: str


Operation = Add | Revise | Resolve | Drop
