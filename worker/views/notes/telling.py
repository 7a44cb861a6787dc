"""Which words of a text tell what it is about, and how much two texts have of them in common.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

MIN_LETTERS = 3
NUM_STEM = 5  # letters: "open", "opened"; "deliver", "delivery"
_UNSPACED_FROM = "\u0e00"  # Thai, and most of what comes after it
# Long enough to be counted, and about nothing.
_EMPTY_WORDS = """
many
about after again all also and any are because been before being but can can't could did does
doing don't done even every for from get going gonna got had has have having he's her here him his
how i'd i'm i've into isn't it's its just know let like little lot make may maybe mean more most
much need not now off okay one only other our out over own probably put quite really right said
same say see she she's should some something still such sure take than that that's the their them
then there these they they're thing things think this those through too use very wanna want was
way we'll we're we've well were what what's when where which while who who's why will with won't
would yeah yes yet you you're your
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


@lru_cache(maxsize=1024)
def telling(text: str) -> frozenset[str]:
    """Stems of the words that carry a subject, and every number; where scripts put no blanks
    between words, pairs of letters. All words of a text that has none of these."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())
    stems = frozenset(stem for word in words for stem in _stems(word))
    return stems or frozenset(words)


def likeness(one: Set[str], other: Set[str]) -> float:
    """0: nothing in common. 1: the shorter has nothing of its own."""
    return len(one & other) / max(1, min(len(one), len(other)))


def _stems(word: str) -> list[str]:
    if any(letter.isdigit() for letter in word):
        return [word]
    if max(word) >= _UNSPACED_FROM:
        return [word[at : at + 2] for at in range(max(1, len(word) - 1))]
    is_empty = len(word) < MIN_LETTERS or word.replace("’", "'") in _EMPTY
    return [] if is_empty else [_stem(word)]


def _stem(word: str) -> str:
    is_inflected = len(word) > MIN_LETTERS and word.endswith("s") and not word.endswith("ss")
    return word[: len(word) - is_inflected][:NUM_STEM]
