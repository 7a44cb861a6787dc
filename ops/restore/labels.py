"""Written text -> raw words, each with the mark that follows it and the way it is written.

A label that the text does not settle is UNKNOWN and teaches nothing: the mark before a dash or an
ellipsis, the case of a number or of "iPhone".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from engine.restore.marks import CASES, MARKS
from ops.pretrain.corpus import Document
from ops.restore.numbers import spoken

UNKNOWN = -100
LOWER, CAPITALISED, UPPER = range(len(CASES))
SENTENCE_ENDS = ".?!"
SHARE_OF_NUMBERS_SPOKEN = 0.4
_ASIDE = re.compile(r"\[[^\]]*\]|[<{*][^>}*]*[>}*]")
_DASH = re.compile(r"--+|[\u2013\u2014]|(?<!\w)-+(?!\w)|(?<=\w)-(?!\w)")
_LETTER_BY_LETTER = re.compile(r"\b((?:[A-Z]_ ?)+)")
_TOKEN = re.compile(r"""["'`(\u2018\u201c]*(.*?)([.,?!;:]*)["'`)\u2019\u201d]*([.,?!;:]*)""")


class Word(NamedTuple):
    raw: str
    mark: int
    case: int
    is_after_end: bool  # of a sentence, or of a turn
    begins_turn: bool


def words_of(documents: Iterable[Document], rng: np.random.Generator) -> Iterator[list[Word]]:
    """One list for each document that has enough marks to teach any."""
    for document in documents:
        words = [word for line in document.lines for word in _turn(line.text, rng)]
        if sum(word.mark > 0 for word in words) * 30 > len(words):
            yield words


def _turn(text: str, rng: np.random.Generator) -> Iterator[Word]:
    if text.isupper() and len(text) > 3:  # a heading
        return
    is_after_end = begins_turn = True
    for raw, mark, case in _labelled(text, rng):
        yield Word(raw, mark, case, is_after_end, begins_turn)
        is_after_end, begins_turn = mark > 0 and MARKS[mark] in SENTENCE_ENDS, False


def _labelled(text: str, rng: np.random.Generator) -> list[tuple[str, int, int]]:
    text = _LETTER_BY_LETTER.sub(_joined, _ASIDE.sub(" ", text))
    tokens = _DASH.sub(" - ", text.replace("_", " ")).split()
    found: list[tuple[str, int, int]] = []
    for token, after in pairwise([*tokens, ""]):
        core, marks = _split(token)
        if not any(map(str.isalnum, core)):
            if found and found[-1][1] == 0:
                raw, _, case = found[-1]
                found[-1] = raw, UNKNOWN, case
        elif core[0] in "$0123456789" and rng.random() < SHARE_OF_NUMBERS_SPOKEN:
            said = spoken(core, after) or [core.lower()]
            found += [(word, 0, LOWER if word.isalpha() else UNKNOWN) for word in said[:-1]]
            found.append((said[-1], _mark(marks), LOWER))
        else:
            found.append((core.lower(), _mark(marks), _case(core)))
    return found


def _joined(spelt: re.Match[str]) -> str:
    """ "D_V_D_ player", as some transcripts spell what is spelt."""
    return spelt[1].replace("_", "").replace(" ", "") + " "


def _split(token: str) -> tuple[str, str]:
    match = _TOKEN.fullmatch(token)
    return (match[1], match[2] + match[3]) if match else (token, "")


def _mark(marks: str) -> int:
    if ".." in marks:
        return UNKNOWN
    for strong in "?!":
        if strong in marks:
            return MARKS.index(strong)
    return MARKS.index(marks[0]) if marks else 0


def _case(core: str) -> int:
    letters = [char for char in core if char.isalpha()]
    if not letters or (letters[0].islower() and core != core.lower()):
        return UNKNOWN
    if letters[0].islower():
        return LOWER
    return UPPER if len(letters) > 1 and all(map(str.isupper, letters)) else CAPITALISED
