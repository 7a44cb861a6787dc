"""A text as the words that recognisers add, change and take back.

Invariant: `written(words_of(text))` is `text` without the blanks around it, runs of blanks as one.
A word carries the blank before it, if there is one: in scripts that put no spaces between words
(Chinese, Japanese, Thai, Lao, Khmer, Burmese) each grapheme cluster is a word without one, so that
joining never puts a space in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import regex

Words = tuple[str, ...]

_UNSPACED = "".join(
    rf"\p{{Script={script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
)
# One grapheme of such a script with the marks after it, or everything up to a blank or such a
# script. The long vowel mark and full-width punctuation belong to no script, and go with the word
# before them. (UAX 29 draws the borders of grapheme clusters.)
_WORD = regex.compile(
    rf" ?(?:(?=[{_UNSPACED}])\X[\p{{P}}ー々]*|(?:(?![{_UNSPACED}])[^ ])+)", regex.UNICODE
)
_IS_UNSPACED = regex.compile(rf"[{_UNSPACED}ー々]")
_SILENT = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def words_of(text: str) -> Words:
    """The words of one line of text, each with the blank before it."""
    return tuple(_WORD.findall(" ".join(text.split())))


def written(words: Iterable[str]) -> str:
    return "".join(words).strip()


def is_apart(before: str, word: str, *, goes_on: bool) -> bool:
    """Whether a blank stands between the text `before` and `word` after it.

    goes_on: they are of one text, in which the word had its blank or not. Otherwise there is none
    between two characters of scripts that put none."""
    if word.startswith(" "):
        return True
    end, begin = (_IS_UNSPACED.search(text) is not None for text in (before[-3:], word[:1]))
    return not (end or begin) if goes_on else not (end and begin)


@lru_cache(maxsize=65536)
def key(word: str) -> str:
    """What is compared of a word: neither case nor marks. A word of nothing but marks ("€", "♪")
    is compared as it is."""
    folded = unicodedata.normalize("NFKC", word.strip()).casefold()
    return _SILENT.sub("", folded) or folded


@lru_cache(maxsize=65536)
def is_mark(word: str) -> bool:
    """Whether nothing of the word is spoken: "-", "...", "♪"; not "€" or "%", which are."""
    return all(unicodedata.category(c)[0] in "PZC" and c not in "%&@" for c in word)


def keys(words: Iterable[str]) -> Words:
    return tuple(map(key, words))
