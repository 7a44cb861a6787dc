"""The notes of one stream: a step for each summary, over the words that it covers.

Invariant: what a step has read and what it has changed are committed together, with the summary of
the same words; a step that was lost on the way is made again over these words, or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from worker.intake.feed import Line
from worker.views.notes.item import Operation
from worker.views.notes.notebook import Notebook


class Step(Protocol):
    """The notes of some lines, being made."""

    def advance(self) -> Sequence[Operation] | None:
        """None if they are not there yet. Raises engine.NoFreeRow: come back after a step."""

    def close(self) -> None:
        """Whatever became of it."""


class NoteMaker(Protocol):
    """Makes notes for all streams: it holds no stream's state."""

    def begin(self, book: Notebook, lines: Sequence[Line], *, is_paused: bool) -> Step: ...


@dataclass(frozen=True)
class _Run:
    """A step that is being made, and the first and the last entry that it sees."""

    step: Step
    first: str
    last: str


class Notes:
    """maker: None if no notes are wanted; those that there are stay as they are."""

    def __init__(self, maker: NoteMaker | None, state: Mapping[str, Any]):
        """state: what `to_json` gave, {} for a new stream."""
        self._maker = maker
        self._book = Notebook.from_json(state)
        self._run: _Run | None = None

    def begin(self, lines: Sequence[Line], *, is_paused: bool) -> None:
        """is_paused: nothing follows soon, so that what has begun is taken as it stands."""
        self.close()
        if self._maker is not None and lines:
            step = self._maker.begin(self._book, lines, is_paused=is_paused)
            self._run = _Run(step, lines[0].entry, lines[-1].entry)

    def finish(self) -> list[dict[str, str]] | None:
        """The fields of each change, when they are all there; None if they are not yet. Raises
        engine.NoFreeRow: come back after the next step."""
        if self._run is None:
            return []
        operations = self._run.step.advance()
        if operations is None:
            return None
        run, self._run = self._run, None
        run.step.close()
        book, changes = self._book.apply(operations)
        self._book = replace(book, reached=run.last)
        seen = {"first": run.first, "last": run.last}
        return [change.fields() | seen for change in changes]

    def to_json(self) -> dict[str, Any]:
        return self._book.to_json()

    def close(self) -> None:
        if self._run is not None:
            self._run.step.close()
        self._run = None
