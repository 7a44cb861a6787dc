"""Text on a screen: at most two lines of about 42 letters, cut where one would breathe.

Widths are those of letters on a screen: those of Chinese, Japanese and Korean count twice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LINE_WIDTH = 42
NUM_LINES = 2
MAX_WIDTH = LINE_WIDTH * NUM_LINES

_SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")
_CLAUSE_END = (",", ";", ":", "-", "–", "—", "，", "、", "；")
_CLOSING = "\"'”’)]»」"
# A word with the blanks before it; a letter of a script without blanks stands for a word.
_ATOM = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff"
                   r"\uf900-\ufaff]+)")  # fmt: skip


def width(text: str) -> int:
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def screens(text: str) -> Iterator[str]:
    """The text in pieces of MAX_WIDTH at most; joined they are the text again, blanks included."""
    atoms = [part for atom in _ATOM.findall(text) for part in _short(atom)]
    begin = 0
    while begin < len(atoms):
        end = _last_that_fits(atoms, begin)
        if end < len(atoms):
            end = _best_end(atoms, begin, end)
        yield "".join(atoms[begin:end])
        begin = end


def lines(text: str) -> list[str]:
    """One screen as one line, or as two that are nearly alike; a break after a mark is better."""
    text = text.strip()
    if width(text) <= LINE_WIDTH:
        return [text]
    atoms = _ATOM.findall(text)
    cuts = [("".join(atoms[:n]).strip(), "".join(atoms[n:]).strip()) for n in range(1, len(atoms))]
    if not cuts:
        return [text]
    first, second = min(cuts, key=lambda cut: _ugliness(*cut))
    return [first, second]


def _ugliness(first: str, second: str) -> tuple[int, int]:
    """How much the longer line is too long, then how unlike the lines are."""
    widths = width(first), width(second)
    bonus = LINE_WIDTH // 3 if _rank(first) < 2 else 0
    return max(0, max(widths) - LINE_WIDTH), abs(widths[0] - widths[1]) - bonus


def _last_that_fits(atoms: list[str], begin: int) -> int:
    used, end = 0, begin
    while end < len(atoms) and (end == begin or used + width(atoms[end]) <= MAX_WIDTH):
        used += width(atoms[end])
        end += 1
    return end


def _best_end(atoms: list[str], begin: int, end: int) -> int:
    """After a sentence, else a clause, if the piece is then not less than half a screen."""
    half = begin + max(1, (end - begin) // 2)
    return min(range(end, half - 1, -1), key=lambda n: _rank(atoms[n - 1]), default=end)


def _rank(word: str) -> int:
    bare = word.rstrip(_CLOSING)
    if bare.endswith(_SENTENCE_END):
        return 0
    return 1 if bare.endswith(_CLAUSE_END) else 2


def _short(atom: str) -> Iterator[str]:
    """A word that is wider than a screen is cut anywhere."""
    while len(atom) > MAX_WIDTH // 2 and width(atom) > MAX_WIDTH:
        yield atom[: MAX_WIDTH // 2]
        atom = atom[MAX_WIDTH // 2 :]
    yield atom
