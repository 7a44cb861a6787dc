"""Running text -> sentences, word for word.

Invariant: the sentences of a text, joined by blanks, are its words in their order. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_WORDS = 40  # a longer one is cut, at a comma if it has one
MIN_WORDS = 8  # fewer say nothing that stands alone
MAX_LETTERS = 12  # of a word, on average; more: a script that puts no blanks between words
_END = re.compile(r"(?<=[.?!…])[\"'”’)\]]*\s+|(?<=[。！？])\s*")
_NO_END = re.compile(r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|no|\w)\.$", re.IGNORECASE)
_PAUSES = (",", ";", ":", "-", "–", "—", "，", "、")


def sentences_in(text: str) -> list[str]:
    """The sentences of what one speaker says in a row."""
    return [piece for whole in _ends(text) for piece in _pieces(whole.split())]


def is_telling(sentence: str) -> bool:
    """Whether it is long enough to say something by itself."""
    num_words = len(sentence.split())
    is_without_blanks = len(sentence) > MAX_LETTERS * max(1, num_words)
    return num_words >= MIN_WORDS or is_without_blanks


def _ends(text: str) -> Iterator[str]:
    begin = 0
    for gap in _END.finditer(text):
        sentence = text[begin : gap.end()].strip()
        if sentence and not _NO_END.search(sentence):
            yield sentence
            begin = gap.end()
    if text[begin:].strip():
        yield text[begin:]


def _pieces(words: list[str]) -> Iterator[str]:
    while len(words) > MAX_WORDS:
        pauses = [i for i in range(MIN_WORDS, MAX_WORDS) if words[i].endswith(_PAUSES)]
        size = pauses[-1] + 1 if pauses else MAX_WORDS
        yield " ".join(words[:size])
        words = words[size:]
    if words:
        yield " ".join(words)
