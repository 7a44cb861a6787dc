"""How telling a sentence was: the share of its words that people's summaries have, too.

Words that every sentence has ("the", "you") count half: they make a summary read like one, and say
nothing of what it is about. The share of words is what ROUGE-1 rewards at a given length, and
unlike a choice of the best few it says something of every sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from engine.evals.rouge import words

NUM_COMMON = 150
COMMON_WEIGHT = 0.5


def common_words(sentences: Iterable[str]) -> frozenset[str]:
    counts = Counter(word for sentence in sentences for word in set(words(sentence)))
    return frozenset(word for word, _ in counts.most_common(NUM_COMMON))


def labels(
    sentences: Sequence[str], summaries: Sequence[str], common: frozenset[str]
) -> list[float]:
    """Of each sentence, the mean over the summaries."""
    wanted = [set(words(summary)) for summary in summaries]
    return [
        sum(_share(words(sentence), them, common) for them in wanted) / len(wanted)
        for sentence in sentences
    ]


def _share(said: Sequence[str], wanted: set[str], common: frozenset[str]) -> float:
    weights = [COMMON_WEIGHT if word in common else 1.0 for word in said]
    shared = [weight for word, weight in zip(said, weights, strict=True) if word in wanted]
    return sum(shared) / max(1e-9, sum(weights))
