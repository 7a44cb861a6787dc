"""Whether two texts can be of the same speech, though a recogniser has rewritten it."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq
from rapidfuzz.fuzz import partial_ratio

from worker.views.settling.readings import is_filler, readings
from worker.views.settling.words import Words, key, keys

MIN_TOLD_LETTERS = 12  # fewer tell nothing
SAME_WORDS = 0.4  # of the letters of the shorter one, in words that both have in the same order
# Of letters in runs that both have: of 4,000 pairs of unlike utterances of conversations one in a
# hundred reaches 57, rewritten ones are above 60.
SAME_LETTERS_PERCENT = 57.0
MIN_REVISED_WORDS = 3
REVISED_WORDS = 0.75


def are_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether they can be hypotheses of the same speech; few words always can."""
    is_short = min(_num_told(one), _num_told(other)) < MIN_TOLD_LETTERS
    return is_short or say_the_same(one, other)


def say_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Numbers may be said in one and written in digits in the other, whole or digit by digit;
    fillers and words said twice tell nothing."""
    one, other = _without_repetitions(one), _without_repetitions(other)
    return any(
        _num_same_letters(one, other) >= max(1, SAME_WORDS * min(len(letters), len(others)))
        or partial_ratio(letters, others) >= SAME_LETTERS_PERCENT
        for letters in {_letters(one), _letters(one, -1)}
        for others in {_letters(other), _letters(other, -1)}
    )


def revises(new: Sequence[str], closed: Sequence[str]) -> bool:
    """Whether `new` says again what a closed text said, in other words or with more of them.

    Stricter than `are_alike`: a name may have come again with another text, which must not be lost
    because it begins alike."""
    if len(new) > 1 and keys(new) == keys(closed)[: len(new)]:
        return True
    shorter = min(len(_letters(new)), len(_letters(closed)))
    is_long = min(len(new), len(closed)) >= MIN_REVISED_WORDS
    return is_long and _num_same_letters(new, closed) >= REVISED_WORDS * shorter


def _without_repetitions(words: Sequence[str]) -> Words:
    told = [word for word in words if not is_filler(word)]
    return tuple(w for at, w in enumerate(told) if at == 0 or key(w) != key(told[at - 1]))


def _letters(words: Sequence[str], way: int = 1) -> str:
    """As they are said: the digits of a number tell nothing about its words."""
    return "".join("".join(_said(word, way)) for word in words)


def _num_told(words: Sequence[str]) -> int:
    """Digits tell nothing about words of another language."""
    return sum(len(key(word)) for word in words if not any(map(str.isdigit, word)))


def _said(word: str, way: int) -> Words:
    ways = readings(word)
    return ways[way] if len(ways) > 1 and any(map(str.isdigit, word)) else ways[0]


def _num_same_letters(one: Sequence[str], other: Sequence[str]) -> int:
    same = keys(one)
    blocks = LCSseq.opcodes(same, keys(other))
    return sum(
        len("".join(same[block.src_start : block.src_end]))
        for block in blocks
        if block.tag == "equal"
    )
