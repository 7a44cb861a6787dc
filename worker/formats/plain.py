"""Plain text: a line is an entry, a long one is cut, and what only says when is not said.

Lines that are a time alone (Meet writes one every five minutes), times in front of a line
(`[00:01:02] words`) and heads of a name and a time (`Ana Silva  0:12`, as Otter and Teams write
them) say when and who. They count where the file has several of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from worker.formats.lines import looks_like_object, rows_of_line
from worker.formats.names import said_by
from worker.formats.rows import LeftOut, Row, row
from worker.intake.values import seconds

MAX_LINE_CHARS = 1000
"""A longer line is a text without line breaks."""
_PIECE_CHARS = 500
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+|(?<=[，、；])")
_BLANK = re.compile(r"\s+")

_TIME = r"(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_ALONE = re.compile(rf"[\[(]?({_TIME})[\])]?", re.ASCII)
_IN_FRONT = re.compile(rf"(?:[\[(]({_TIME})[\])]|({_TIME}))\s*[-–:]?\s+(?=\S)", re.ASCII)
_HEAD = re.compile(rf"\[?([^\W\d_][^\[\]:]{{0,59}}?)\]?,?\s+[\[(]?({_TIME})[\])]?")
_SHARE_IN_FRONT, _SHARE_HEADS = 0.5, 0.2
# What Meet puts around a transcript.
_BEGIN, _END = (
    ("Attendees", "Transcript"),
    re.compile(r"Meeting ended after \d|Transcription ended"),
)


def is_marked(text: str) -> bool:
    """Whether the text says when things were said."""
    lines = _lines(text)
    return _in_front(lines) or _with_heads(lines) or sum(map(_is_alone, lines)) > 1


def plain_rows(text: str) -> Iterator[Row | LeftOut]:
    """Among lines of text, a JSON object is the fields of an entry, as it is in a pipe."""
    for number, line in enumerate(text.split("\n"), 1):
        if looks_like_object(line):
            yield from rows_of_line(line, f"line {number}")
        else:
            yield from _rows(line.strip())


def marked_rows(text: str) -> Iterator[Row]:
    lines = _spoken_part(_lines(text))
    strip, heads = _in_front(lines), _with_heads(lines)
    pieces: list[tuple[float | None, str | None, str]] = []
    start: float | None = None
    speaker: str | None = None
    for line in lines:
        head = _HEAD.fullmatch(line) if heads else None
        if head:
            speaker, start = head[1].strip(), seconds(head[2])
        elif _is_alone(line):
            start = seconds(line.strip("[]()"))
        elif strip and (front := _IN_FRONT.match(line)):
            pieces.append((seconds(front[1] or front[2]), speaker, line[front.end() :]))
        else:
            pieces.append((start, speaker, line))
            start = None
    named = said_by([[line] for _, _, line in pieces])
    for (at, whose, _), [(name, words)] in zip(pieces, named, strict=True):
        yield from _rows(words, start=at, speaker=name or whose)


def pieces_of(text: str, max_chars: int = _PIECE_CHARS) -> Iterator[str]:
    """Cut after sentences, else clauses, else words, else anywhere: nothing is left out."""
    text = text.strip()
    begin = 0
    while len(text) - begin > max_chars:
        end = _cut(text, begin, max_chars)
        if piece := text[begin:end].strip():
            yield piece
        begin = end
    if rest := text[begin:].strip():
        yield rest


def _cut(text: str, begin: int, max_chars: int) -> int:
    """The last good place, of the best kind that lies not too near the beginning."""
    most = begin + max_chars
    for kind in (_SENTENCE_END, _CLAUSE_END, _BLANK):
        ends = [m.end() for m in kind.finditer(text, begin, most + 1) if m.start() <= most]
        if ends and ends[-1] >= begin + max_chars // 4:
            return ends[-1]
    return most


def _rows(line: str, **about: object) -> Iterator[Row]:
    for piece in pieces_of(line) if len(line) > MAX_LINE_CHARS else [line]:
        if read := row(piece, **about):
            yield read


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _is_alone(line: str) -> bool:
    return _ALONE.fullmatch(line) is not None


def _in_front(lines: Sequence[str]) -> bool:
    num = sum(_IN_FRONT.match(line) is not None for line in lines)
    return num > 1 and num >= _SHARE_IN_FRONT * len(lines)


def _with_heads(lines: Sequence[str]) -> bool:
    num = sum(_HEAD.fullmatch(line) is not None for line in lines)
    return num > 1 and num >= _SHARE_HEADS * len(lines)


def _spoken_part(lines: list[str]) -> list[str]:
    """Without what Meet writes before and after it."""
    if all(line in lines for line in _BEGIN):
        lines = lines[lines.index(_BEGIN[1], lines.index(_BEGIN[0])) + 1 :]
        if lines and "computer generated" in lines[0]:
            lines = lines[1:]
    return [line for line in lines if not _END.match(line)]
