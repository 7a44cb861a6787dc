"""Plain text: a line is an entry, and a long one is cut. `Ana: words` is said by Ana where most
lines begin with a name, and the same few names come again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from worker.formats.lines import looks_like_object, rows_of_line
from worker.formats.names import named, said_by
from worker.formats.rows import LeftOut, Row, row

MAX_LINE_CHARS = 1000
"""A longer line is a text without line breaks."""
_PIECE_CHARS = 500
_LINES_PER_NAME = 3
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+|(?<=[，、；])")
_BLANK = re.compile(r"\s+")


def plain_rows(text: str) -> Iterator[Row | LeftOut]:
    """Among lines of text, a JSON object is the fields of an entry, as it is in a pipe."""
    lines = text.split("\n")
    names = _names([line.strip() for line in lines if line.strip()])
    for number, line in enumerate(lines, 1):
        name, words = named(line.strip()) or (None, "")
        if looks_like_object(line):
            yield from rows_of_line(line, f"line {number}")
        elif name in names:
            yield from cut_rows(words, speaker=name)
        else:
            yield from cut_rows(line.strip())


def _names(lines: list[str]) -> Set[str | None]:
    """Who speaks, if it is said line by line. Keys of a file of settings do not come again."""
    said = [name for [(name, _)] in said_by([[line] for line in lines]) if name]
    return set(said) if len(said) >= _LINES_PER_NAME * len(set(said)) else set()


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


def cut_rows(line: str, **about: object) -> Iterator[Row]:
    for piece in pieces_of(line) if len(line) > MAX_LINE_CHARS else [line]:
        if read := row(piece, **about):
            yield read
