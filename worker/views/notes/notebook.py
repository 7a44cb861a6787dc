"""The items of one stream that may still change, and how a step changes them.

Invariant: an id means one thing for ever. Ids are counted and never used again; a kind stays; a
revision keeps at least half of the words that tell what the item was made for, or it is an item of
its own; what is resolved or dropped, or was let go because there were too many, changes no more.

Immutable and bounded: a part of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.views.notes.item import Add, Drop, Item, Operation, Resolve, Revise
from worker.views.notes.telling import telling

MAX_OPEN = 32  # the oldest goes: it stands in the stream as it is
MIN_KEPT = 0.5  # of an item's telling words, in each revision
MAX_LETTERS = 400


@dataclass(frozen=True)
class Change:
    """What became of an item. how: "add", "revise", "resolve" or "drop"."""

    how: str
    item: Item

    def fields(self) -> dict[str, str]:
        return {"change": self.how} | self.item.fields()


@dataclass(frozen=True)
class Notebook:
    """items: the open ones, oldest first. num_made: items that there ever were. reached: the last
    entry that a step has seen."""

    items: tuple[Item, ...] = ()
    num_made: int = 0
    reached: str = ""

    def apply(self, operations: Sequence[Operation]) -> tuple[Notebook, list[Change]]:
        """One after the other; what names no open item does nothing."""
        book, changes = self, list[Change]()
        for operation in operations:
            book, change = book._apply(operation)
            changes += [change] if change else []
        return book, changes

    def _apply(self, operation: Operation) -> tuple[Notebook, Change | None]:
        if isinstance(operation, Add):
            return self._add(operation)
        item = next((one for one in self.items if one.id == operation.id), None)
        if item is None:
            return self, None
        if isinstance(operation, Drop):
            given_up = replace(item, status="dropped", rev=item.rev + 1)
            return self._without(item), Change("drop", given_up)
        if not operation.cites:
            return self, None
        if isinstance(operation, Resolve):
            done = replace(item.citing(operation.cites), status="resolved", rev=item.rev + 1)
            return self._without(item), Change("resolve", done)
        return self._revise(item, operation)

    def _add(self, add: Add) -> tuple[Notebook, Change | None]:
        text = cut(add.text)
        if not text or not add.cites or any(text == item.text for item in self.items):
            return self, None
        made = Item(str(self.num_made + 1), add.kind, text, add.who, add.due, first_text=text)
        made = made.citing(add.cites)
        items = (*self.items, made)[-MAX_OPEN:]
        return replace(self, items=items, num_made=self.num_made + 1), Change("add", made)

    def _revise(self, item: Item, revision: Revise) -> tuple[Notebook, Change | None]:
        text = cut(revision.text) or item.text
        if not _says_the_same(item, text):
            add = Add(item.kind, text, revision.cites, revision.who, revision.due)
            return self._add(add)
        who, due = revision.who or item.who, revision.due or item.due
        if (text, who, due) == (item.text, item.who, item.due):
            return self, None
        revised = replace(item, text=text, who=who, due=due, rev=item.rev + 1)
        revised = revised.citing(revision.cites)
        items = tuple(revised if one is item else one for one in self.items)
        return replace(self, items=items), Change("revise", revised)

    def _without(self, item: Item) -> Notebook:
        return replace(self, items=tuple(one for one in self.items if one is not item))

    def anew(self) -> Notebook:
        """For the stream's next life, whose ids go on."""
        return Notebook((), self.num_made)

    def to_json(self) -> dict[str, Any]:
        items = [item.to_json() for item in self.items]
        return {"items": items, "made": self.num_made, "reached": self.reached}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Notebook:
        items = tuple(map(Item.from_json, state.get("items", ())))
        return cls(items, state.get("made", 0), state.get("reached", ""))


def _says_the_same(item: Item, text: str) -> bool:
    old = telling(item.first_text)
    return len(old & telling(text)) >= MIN_KEPT * len(old)


def cut(text: str) -> str:
    """On one line, and no longer than an item may be."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_LETTERS else f"{line[: MAX_LETTERS - 1].rstrip()}…"
