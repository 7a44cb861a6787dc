"""The sentences of what was said, each with who said it and the entries that it came in.

Invariant: the sentences of a turn are its words, in their order. Entries are no sentences: all that
one speaker says in a row is joined before it is cut (engine/sentences). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine import cuts
from worker.intake.feed import Line


@dataclass(frozen=True)
class Sentence:
    """is_whole: it ends, by its mark or because another speaks after it."""

    text: str
    speaker: str
    entries: tuple[str, ...]
    is_whole: bool = True

    @property
    def num_words(self) -> int:
        return len(self.text.split())

    @property
    def is_question(self) -> bool:
        return self.text.rstrip("\"'”’)]").endswith(("?", "？"))

    @property
    def line(self) -> str:
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


def sentences(lines: Sequence[Line]) -> list[Sentence]:
    """Of lines that follow each other."""
    turns = list(_turns(lines))
    return [
        sentence
        for number, turn in enumerate(turns, start=1)
        for sentence in _of_turn(turn, is_over=number < len(turns))
    ]


def _turns(lines: Sequence[Line]) -> Iterator[list[Line]]:
    turn: list[Line] = []
    for line in lines:
        if line.begins and turn:
            yield turn
            turn = []
        turn.append(line)
    if turn:
        yield turn


def _of_turn(turn: Sequence[Line], *, is_over: bool) -> Iterator[Sentence]:
    texts = [_said(turn[0]), *(line.text for line in turn[1:])]
    ends, text = list(accumulate(map(len, texts))), "".join(texts)
    first = 0
    for cut in cuts(text):
        while ends[first] <= cut.begin:
            first += 1
        last = first
        while ends[last] < cut.end:
            last += 1
        entries = tuple(dict.fromkeys(line.entry for line in turn[first : last + 1]))
        words = " ".join(text[cut.begin : cut.end].split())
        yield Sentence(words, turn[0].speaker, entries, cut.is_whole or is_over)


def _said(line: Line) -> str:
    """Without the name before it, if the line begins with one."""
    name = f"{line.speaker}: "
    text = line.text.lstrip("\n")
    return text.removeprefix(name) if line.begins and line.speaker else text
