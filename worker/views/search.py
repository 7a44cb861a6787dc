"""Which sentences have to do with a question: by the words that tell, the rare ones counting most.

BM25 (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework") over stems, each counted
once a sentence. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worker.views.notes.telling import telling
from worker.views.sentences import Sentence

K1, B = 1.2, 0.75
MIN_SHARE = 0.5  # of what a question's words weigh, in a sentence that has to do with it
MIN_WORDS = 2  # of a question that can be told not to be about what was said
# Questions about the talk itself use words that nobody needs to have said.
_ABOUT_TALK = telling(
    "action agenda agree answer ask conclude conversation decide decision discuss do happen idea"
    " important issue item main meeting mention name open outcome participant people person plan"
    " point problem question say speak speaker speech stream subject summary talk task tell todo"
    " topic transcript"
)


@dataclass(frozen=True)
class Found:
    """supports: sentences that have to do with the question, the nearest first. is_strange: it asks
    for things of which not one was ever named."""

    supports: tuple[Sentence, ...] = ()
    is_strange: bool = False


def search(question: str, said: Sequence[Sentence], *, most: int) -> Found:
    words = telling(question)
    stems = [telling(sentence.text) for sentence in said]
    num_with = Counter(word for stem in stems for word in stem & words)
    weights = {word: _weight(num_with[word], len(said)) for word in words}
    if not said or not num_with:
        is_of_talk = bool(words & _ABOUT_TALK)
        return Found(is_strange=bool(said) and len(words) >= MIN_WORDS and not is_of_talk)
    mean_length = sum(map(len, stems)) / len(stems)
    scores = [
        sum(weights[word] for word in stem & words) * _damped(len(stem) / mean_length)
        for stem in stems
    ]
    needed = MIN_SHARE * sum(weights.values())
    near = [i for i, stem in enumerate(stems) if sum(weights[w] for w in stem & words) >= needed]
    best = sorted(near, key=lambda i: (-scores[i], -i))[:most]
    return Found(tuple(said[i] for i in best))


def _weight(num_with: int, num: int) -> float:
    return math.log(1 + (num - num_with + 0.5) / (num_with + 0.5))


def _damped(relative_length: float) -> float:
    """What a word counts in a sentence of this length, when it is there once."""
    return (K1 + 1) / (1 + K1 * (1 - B + B * relative_length))
