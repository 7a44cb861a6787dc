"""The most telling sentences, each new against those before it.

A word that was said by the chosen ones n times counts REPEATED ** n: what repeats them tells little
more. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

REPEATED = 0.8
MAX_COMPARED = 120  # the most telling ones; the others would hardly be chosen
_WORD = re.compile(r"[^\W_]+")


def best_first(sentences: Sequence[str], salience: Sequence[float]) -> Iterator[int]:
    """Their indices. Of equals the first one."""
    by_salience = sorted(range(len(sentences)), key=lambda i: (-salience[i], i))[:MAX_COMPARED]
    words = {i: _WORD.findall(sentences[i].lower()) for i in by_salience}
    said: Counter[str] = Counter()
    while words:
        news = {i: salience[i] * _newness(words[i], said) for i in words}
        best = max(news, key=lambda i: (news[i], -i))
        said.update(words.pop(best))
        yield best


def _newness(words: Sequence[str], said: Counter[str]) -> float:
    return sum(REPEATED ** said[word] for word in words) / max(1, len(words))
