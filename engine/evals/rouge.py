"""ROUGE (Lin 2004): how many of a reference's words, word pairs and words in order a text has.

Words are lower-case runs of letters and digits, not stemmed, as the package rouge-score takes them
without a stemmer; other scripts are read the same way. F1 of overlaps with one reference. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Rouge:
    """Each from 0 to 1."""

    one: float
    two: float
    longest: float


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def rouge(text: str, reference: str) -> Rouge:
    said, wanted = words(text), words(reference)
    longest = _f1(num_in_order(said, wanted), len(said), len(wanted))
    return Rouge(_overlap(said, wanted, 1), _overlap(said, wanted, 2), longest)


def _overlap(said: Sequence[str], wanted: Sequence[str], size: int) -> float:
    ours, theirs = _runs(said, size), _runs(wanted, size)
    return _f1((ours & theirs).total(), ours.total(), theirs.total())


def _runs(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(size)), strict=False))


def num_in_order(said: Sequence[str], wanted: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(wanted) + 1)
    for word in said:
        before = row
        row = [0]
        for i, other in enumerate(wanted):
            row.append(before[i] + 1 if word == other else max(row[-1], before[i + 1]))
    return row[-1]


def _f1(num_shared: int, num_said: int, num_wanted: int) -> float:
    return 2 * num_shared / (num_said + num_wanted) if num_shared else 0.0
