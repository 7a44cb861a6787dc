"""Settled parts become lines: with capitals and marks if they have none, in the order they came.

Invariant: each word of the queue goes into one line, in order, and with it out of the queue; what a
line says is said by the recogniser. What is being restored is still in the queue: whoever takes
the stream over has it to do again.

The restorer sees what follows. So it is given an utterance of one speaker whatever the entries are
that it came in, and its last words wait for those that come next: for a settable time at most, and
not if another speaker goes on, or the stream is to end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from worker.views.restore import Restoration, Restorer
from worker.views.settling.part import Part
from worker.views.settling.words import is_apart, written

log = logging.getLogger(__name__)

Fields = dict[str, str]

NUM_CONTEXT_WORDS = 20
NUM_HELD_WORDS = 4
MAX_PIECE_WORDS = 64  # a longer text is published piece by piece
NUM_WORDS_AFTER = 16


@dataclass(frozen=True)
class Last:
    """The line that was published last, and the end of what its speaker has said so far."""

    name: str = ""
    speaker: str | None = None
    text: str = ""
    num_lines: int = 0

    def to_json(self) -> list[Any]:
        return [self.name, self.speaker, self.text, self.num_lines]


@dataclass(frozen=True)
class Queue:
    """Parts that are settled and not published."""

    parts: tuple[Part, ...] = ()
    last: Last = field(default_factory=Last)

    @property
    def num_words(self) -> int:
        return sum(len(part.words) for part in self.parts)

    def utterance(self) -> tuple[Part, ...]:
        """The first parts that may be restored together: raw ones of one speaker."""
        head = self.parts[0]
        for index, part in enumerate(self.parts):
            is_same = _voice(part) == _voice(head) and (part.is_raw or not part.words)
            if not is_same:
                return self.parts[:index]
        return self.parts

    def to_json(self) -> dict[str, Any]:
        return {"parts": [part.to_json() for part in self.parts], "last": self.last.to_json()}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Queue:
        parts = tuple(map(Part.from_json, state["parts"]))
        return cls(parts, Last(*state["last"]))


@dataclass(frozen=True)
class Piece:
    """The first `num_words` words of the queue, on their way through the restorer."""

    num_words: int
    restoration: Restoration


class Writer:
    """Publishes one stream's queue. `restorer`: None to publish every text as it came."""

    def __init__(self, restorer: Restorer | None, *, hold_seconds: float, now: float):
        self._restorer = restorer
        self._hold_seconds = hold_seconds
        self._piece: Piece | None = None
        self._came_at = now

    def came(self, now: float) -> None:
        """Words came: those that are held wait for what follows these."""
        self._came_at = now

    def write(
        self, queue: Queue, names: Mapping[str, str], now: float, *, is_over: bool
    ) -> tuple[Queue, list[Fields]] | None:
        """The next lines, and the queue without them; None if there are none for now.

        is_over: nothing follows. Raises engine.NoFreeRow: come back after the next step."""
        if not queue.parts:
            return None
        head = queue.parts[0]
        if self._restorer is None or not head.words or not head.is_raw:
            return self._publish(queue, len(head.words), None)
        if self._piece is None:
            self._begin(queue, names, is_over=is_over, is_late=self._is_late(now))
        if self._piece is None:
            return None
        text = self._piece.restoration.advance()
        if text is None:
            return None
        piece, self._piece = self._piece, None
        return self._publish(queue, piece.num_words, text)

    def waits_for_clock(self, queue: Queue) -> bool:
        """Whether the words that are left only wait for what follows."""
        return bool(queue.parts) and self._piece is None

    def close(self) -> None:
        if self._piece:
            self._piece.restoration.close()
        self._piece = None

    def _is_late(self, now: float) -> bool:
        return now - self._came_at >= self._hold_seconds

    def _begin(
        self, queue: Queue, names: Mapping[str, str], *, is_over: bool, is_late: bool
    ) -> None:
        parts = queue.utterance()
        words = [word for part in parts for word in part.words]
        is_followed = len(parts) < len(queue.parts)
        num_held = 0 if is_followed or is_over or is_late else NUM_HELD_WORDS
        num = min(len(words) - num_held, MAX_PIECE_WORDS)
        ends = num == len(words) and (is_followed or is_over)
        if num <= 0 or self._restorer is None:
            return
        before = queue.last.text if queue.last.speaker == parts[0].origin.speaker else ""
        after = _spaced(words[num : num + NUM_WORDS_AFTER])
        text = _spaced(words[:num])
        self._piece = Piece(
            num, self._restorer.begin(text, before=before, after=after, names=names, ends=ends)
        )

    def _publish(self, queue: Queue, num: int, text: str | None) -> tuple[Queue, list[Fields]]:
        """The first `num` words, line by line; text: as they were restored."""
        restored = text.split() if text is not None else None
        if restored is not None and len(restored) != num:
            log.error("a restoration changed the number of words and was dropped: %r", text)
            restored = None
        parts, last, lines = list(queue.parts), queue.last, list[Fields]()
        while parts and (num > 0 or not lines):
            part = parts.pop(0)
            if len(part.words) > num and part.words:
                part, rest = part.split(num)
                parts.insert(0, rest)
            num -= len(part.words)
            own = None
            if restored is not None:
                own, restored = restored[: len(part.words)], restored[len(part.words) :]
            fields, last = _line(part, own, last)
            lines.append(fields)
        return Queue(tuple(parts), last), lines


def _spaced(words: Iterable[str]) -> str:
    """Raw words, of several parts perhaps: the first of a part brings no blank of its own."""
    return " ".join(word.strip() for word in words)


def _voice(part: Part) -> tuple[str | None, str | None]:
    return part.origin.speaker, part.origin.lang


def _line(part: Part, restored: list[str] | None, last: Last) -> tuple[Fields, Last]:
    text = " ".join(restored) if restored is not None else written(part.words)
    fields = part.origin.fields() | {"text": text, "final": "1" if part.is_last else "0"}
    fields |= dict(_told_of(part, last))
    if restored:
        fields["restored"] = "1"
    if not text:
        return fields, replace(last, name=part.name)
    so_far = f"{last.text} {text}" if last.speaker == part.origin.speaker else text
    context = " ".join(so_far.split()[-NUM_CONTEXT_WORDS:])
    return fields, Last(part.name, part.origin.speaker, context, last.num_lines + 1)


def _told_of(part: Part, last: Last) -> Iterator[tuple[str, str]]:
    is_same_speaker = last.speaker == part.origin.speaker
    if part.number > 0 and last.name == part.name and is_same_speaker:
        yield "continues", "1"
    if part.words and last.num_lines and is_same_speaker:
        apart = is_apart(last.text, part.words[0], goes_on=part.number > 0)
        yield "joined", "space" if apart else "tight"
    if part.how_timed:
        yield "times", part.how_timed
    if part.left_out:
        yield "left_out", part.left_out
    if part.hypothesis:
        yield "hypothesis", part.hypothesis
