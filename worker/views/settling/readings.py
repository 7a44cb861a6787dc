"""The ways in which one written word may have been heard as several: "we'll" is "we will".

Lists of words for English; a word of another language is read as it stands, and joined or parted
words ("icecream", "twenty-five") are known in any language by their letters.
"""

from __future__ import annotations

import re
from functools import lru_cache

from worker.views.settling.numbers import said
from worker.views.settling.words import Words, key

FILLERS = frozenset(
    {"uh", "um", "uhm", "umm", "er", "erm", "ah", "eh", "hm", "hmm", "mm", "mhm", "mmhm"}
    | {"äh", "ähm", "euh"}
)

# What is certain first: of these, the rest may be said when the beginning is settled.
_CERTAIN = {"'ll": "will", "'re": "are", "'ve": "have", "'m": "am", "n't": "not"}
_POSSIBLE = {"'d": ("would", "had"), "'s": ("is", "has", "us")}
_WHOLE = {
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "gotta": ("got", "to"),
    "kinda": ("kind", "of"),
    "sorta": ("sort", "of"),
    "lemme": ("let", "me"),
    "gimme": ("give", "me"),
    "dunno": ("don", "t", "know"),
    "%": ("percent",),
    "&": ("and",),
    "ok": ("okay",),
    "mr": ("mister",),
    "dr": ("doctor",),
    "vs": ("versus",),
}


@lru_cache(maxsize=65536)
def readings(word: str) -> tuple[Words, ...]:
    """Every way, the word as it stands first; each as compared words (`words.key`)."""
    bare = word.strip().lower().replace("’", "'").strip('.,;:!?"()[]')
    found: list[Words] = [(key(word),)]
    if any(char.isdigit() for char in bare):
        found += said(bare)
    if bare in _WHOLE:
        found.append(_WHOLE[bare])
    found += _shortened(bare)
    if "-" in bare.strip("-"):
        found.append(tuple(key(part) for part in re.split("-+", bare) if part))
    return tuple(dict.fromkeys(found))


def _shortened(bare: str) -> list[Words]:
    """What a contraction is short for; the certain ways are those of `_CERTAIN`."""
    for ending, full in _CERTAIN.items():
        if bare.endswith(ending) and len(bare) > len(ending):
            return [(key(bare.removesuffix(ending)), full)]
    for ending, several in _POSSIBLE.items():
        if bare.endswith(ending) and len(bare) > len(ending):
            return [(key(bare.removesuffix(ending)), full) for full in several]
    return []


@lru_cache(maxsize=65536)
def letters_read(word: str) -> frozenset[str]:
    """The letters of each way, run together."""
    return frozenset("".join(way) for way in readings(word))


def rest_of(word: str, heard: Words) -> Words:
    """What is left to be said of `word` when `heard` of it was; () if that is not certain."""
    if any("'" + e in word.replace("’", "'").lower() for e in ("s", "d")):
        return ()
    for way in readings(word)[1:]:
        if len(way) > len(heard) and way[: len(heard)] == heard:
            return way[len(heard) :]
    return ()


def is_filler(word: str) -> bool:
    return key(word) in FILLERS
