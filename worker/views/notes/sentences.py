"""The sentences of what was said, each with who said it and the entries that it came in.

Invariant: the sentences of a turn are its words, in their order. Entries are no sentences: all that
one speaker says in a row is joined before it is cut. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.intake.feed import Line

MAX_WORDS = 40  # a longer one is cut, after a comma if it has one
MIN_PIECE = 12  # words of it
_WORD = re.compile(r"[^\s。！？]*[。！？]+[”’」』)]*|\S+")
_END = re.compile(r"[.?!…。！？][\"'”’)\]」』]*$")
_NO_END = re.compile(r"^[(\"“]?(?:(?:mr|mrs|ms|dr|prof|st|vs|no)\.|(?:[a-z]\.)+)$", re.IGNORECASE)
_PAUSE = (",", ";", ":", "-", "–", "—", "，", "、")


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


@dataclass(frozen=True)
class _Word:
    text: str
    entries: tuple[str, ...]

    @property
    def is_last(self) -> bool:
        return bool(_END.search(self.text)) and not _NO_END.match(self.text)


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
    words: list[_Word] = []
    for word in _words(turn):
        words.append(word)
        if word.is_last:
            yield from _pieces(words, turn[0].speaker, is_whole=True)
            words = []
    yield from _pieces(words, turn[0].speaker, is_whole=is_over)


def _words(turn: Sequence[Line]) -> list[_Word]:
    """With the entries of the lines that each word is written in: of more than one, where a script
    has no blanks between words."""
    texts = [_said(turn[0]), *(line.text for line in turn[1:])]
    ends, text = list[tuple[int, str]](), ""
    for line, part in zip(turn, texts, strict=True):
        text += part
        ends.append((len(text), line.entry))
    words, first = [], 0
    for found in _WORD.finditer(text):
        while ends[first][0] <= found.start():
            first += 1
        last = first
        while ends[last][0] < found.end():
            last += 1
        entries = tuple(entry for _, entry in ends[first : last + 1])
        words.append(_Word(found.group(), entries))
    return words


def _said(line: Line) -> str:
    """Without the name before it, if the line begins with one."""
    name = f"{line.speaker}: "
    text = line.text.lstrip("\n")
    return text.removeprefix(name) if line.begins and line.speaker else text


def _pieces(words: Sequence[_Word], speaker: str, *, is_whole: bool) -> Iterator[Sentence]:
    rest = list(words)
    while len(rest) > MAX_WORDS:
        pauses = [i for i in range(MIN_PIECE, MAX_WORDS) if rest[i].text.endswith(_PAUSE)]
        size = pauses[-1] + 1 if pauses else MAX_WORDS
        yield _sentence(rest[:size], speaker, is_whole=True)
        rest = rest[size:]
    if rest:
        yield _sentence(rest, speaker, is_whole=is_whole)


def _sentence(words: Sequence[_Word], speaker: str, *, is_whole: bool) -> Sentence:
    text = " ".join(word.text for word in words)
    entries = tuple(dict.fromkeys(entry for word in words for entry in word.entries))
    return Sentence(text, speaker, entries, is_whole)
