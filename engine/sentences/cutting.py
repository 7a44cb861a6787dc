"""Running text -> sentences, word for word: the one rule of it, for whoever cuts.

Invariant: the sentences of a text, joined by blanks, are its words in their order. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_WORDS = 40  # a longer one is cut, after a comma if it has one
MIN_WORDS = 8  # fewer say nothing that stands alone
MAX_LETTERS = 12  # of a word, on average; more: a script that puts no blanks between words
_WORD = re.compile(r"[^\s。！？]*[。！？]+[”’」』)]*|\S+")
_END = re.compile(r"[.?!…。！？][\"'”’)\]」』]*$")
# Titles and initials; "no." is one before a number only, and people end sentences in "I".
_NO_END = re.compile(r"^[(\"“]?(?:(?:mr|mrs|ms|dr|prof|st|vs)\.|(?!i\.$)(?:[a-z]\.)+)$", re.I)
_NUMBER = re.compile(r"^[(\"“]?no\.$", re.I)
_PAUSES = (",", ";", ":", "-", "–", "—", "，", "、")

Words = Sequence["re.Match[str]"]


@dataclass(frozen=True)
class Cut:
    """A sentence: text[begin:end]. is_whole: something says that it is over, and be it its length;
    only the last of a text may go on."""

    begin: int
    end: int
    is_whole: bool


def cuts(text: str) -> Iterator[Cut]:
    """The sentences of what one speaker says in a row."""
    words = list(_WORD.finditer(text))
    begin = 0
    for place, word in enumerate(words):
        following = words[place + 1].group() if place + 1 < len(words) else ""
        if _ends(word.group(), following):
            yield from _pieces(words[begin : place + 1], is_whole=True)
            begin = place + 1
    yield from _pieces(words[begin:], is_whole=False)


def sentences_in(text: str) -> list[str]:
    """As they are read: one blank between words."""
    return [" ".join(text[cut.begin : cut.end].split()) for cut in cuts(text)]


def is_telling(sentence: str) -> bool:
    """Whether it is long enough to say something by itself."""
    num_words = len(sentence.split())
    is_without_blanks = len(sentence) > MAX_LETTERS * max(1, num_words)
    return num_words >= MIN_WORDS or is_without_blanks


def _ends(word: str, following: str) -> bool:
    if _NUMBER.match(word):
        return not following[:1].isdigit()
    return bool(_END.search(word)) and not _NO_END.match(word)


def _pieces(words: Words, *, is_whole: bool) -> Iterator[Cut]:
    while len(words) > MAX_WORDS:
        pauses = [i for i in range(MIN_WORDS, MAX_WORDS) if words[i].group().endswith(_PAUSES)]
        size = pauses[-1] + 1 if pauses else MAX_WORDS
        yield Cut(words[0].start(), words[size - 1].end(), is_whole=True)
        words = words[size:]
    if words:
        yield Cut(words[0].start(), words[-1].end(), is_whole)
