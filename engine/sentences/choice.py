"""The most telling sentences, each new against those before it.

A word that was said by the chosen ones n times counts REPEATED ** n: what repeats them tells little
more. What mostly repeats one of them comes after all that does not. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

REPEATED = 0.8
MAX_SHARED = 0.7  # of a sentence's words, with one that is chosen
AGAIN = 0.1  # what a sentence counts that shares more
MAX_COMPARED = 120  # the most telling ones; the others would hardly be chosen
_WORD = re.compile(r"[^\W_]+")


def best_first(sentences: Sequence[str], salience: Sequence[float]) -> Iterator[int]:
    """Their indices. Of equals the first one."""
    by_salience = sorted(range(len(sentences)), key=lambda i: (-salience[i], i))[:MAX_COMPARED]
    words = {i: _WORD.findall(sentences[i].lower()) for i in by_salience}
    worth = {i: salience[i] for i in words}
    said: Counter[str] = Counter()
    while words:
        news = {i: worth[i] * _newness(words[i], said) for i in words}
        best = max(news, key=lambda i: (news[i], -i))
        chosen = words.pop(best)
        said.update(chosen)
        for i, others in words.items():
            if _num_shared(others, chosen) > MAX_SHARED * len(others):
                worth[i] = salience[i] * AGAIN
        yield best


def _newness(words: Sequence[str], said: Counter[str]) -> float:
    return sum(REPEATED ** said[word] for word in words) / max(1, len(words))


def _num_shared(words: Sequence[str], others: Sequence[str]) -> int:
    return (Counter(words) & Counter(others)).total()
