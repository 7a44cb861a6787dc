"""Ways to choose sentences of a text, best first: the usual ones, and ours beside them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from engine.evals.rouge import words
from engine.sentences.cutting import is_telling
from engine.sentences.highlighter import Highlighter

Extract = Callable[[Sequence[str]], Iterable[int]]
DAMPING, NUM_WALKS = 0.85, 30  # as in PageRank
MIN_LONG = 5  # letters of a word that carries a subject


def lead(sentences: Sequence[str]) -> Iterable[int]:
    return range(len(sentences))


def at_random(seed: int) -> Extract:
    def extract(sentences: Sequence[str]) -> Iterable[int]:
        return random.Random(seed).sample(range(len(sentences)), len(sentences))  # noqa: S311

    return extract


def textrank(sentences: Sequence[str]) -> Iterable[int]:
    """Mihalcea & Tarau 2004: sentences that share words with many that do too, for their length."""
    found = [set(words(sentence)) for sentence in sentences]
    known = {word: i for i, word in enumerate(sorted(set().union(*found)))}
    table = np.zeros((len(found), len(known)), dtype=np.float32)
    for row, them in enumerate(found):
        table[row, [known[word] for word in them]] = 1
    sizes = np.log(np.maximum(2, table.sum(axis=1)))
    near = table @ table.T / (sizes[:, None] + sizes[None])
    np.fill_diagonal(near, 0)
    near /= np.maximum(near.sum(axis=1, keepdims=True), 1e-9)
    rank = np.full(len(found), 1 / max(1, len(found)))
    for _ in range(NUM_WALKS):
        rank = (1 - DAMPING) / max(1, len(found)) + DAMPING * near.T @ rank
    order: list[int] = np.argsort(-rank, kind="stable").tolist()
    return order


def word_counts(sentences: Sequence[str]) -> Iterable[int]:
    """The words that the text itself repeats (SumBasic, Nenkova & Vanderwende 2005)."""
    content = [set(re.findall(rf"\w{{{MIN_LONG},}}", sentence.lower())) for sentence in sentences]
    frequency = Counter(word for them in content for word in them)
    weights = [sum(frequency[word] for word in them) / (len(them) + 3) for them in content]
    return sorted(range(len(sentences)), key=lambda i: (-weights[i], i))


def highlights(highlighter: Highlighter) -> Extract:
    """Ours: whole statements that a trained salience finds telling, each new against the others."""

    def extract(sentences: Sequence[str]) -> Iterable[int]:
        telling = [i for i, sentence in enumerate(sentences) if is_telling(sentence)]
        return (telling[i] for i in highlighter.best_first([sentences[i] for i in telling]))

    return extract


def extracted(sentences: Sequence[str], order: Iterable[int], num_words: int) -> str:
    """The first of `order`, in the text's own order, cut to `num_words` words as ROUGE counts."""
    chosen: dict[int, str] = {}
    for index in order:
        if num_words <= 0:
            break
        text = first_words(sentences[index], num_words)
        chosen[index] = text
        num_words -= len(words(text))
    return " ".join(text for _, text in sorted(chosen.items()))


def first_words(text: str, num_words: int) -> str:
    """The text up to its word `num_words`, as ROUGE counts words."""
    ends = [found.end() for found in re.finditer(r"[^\W_]+", text)]
    return text if len(ends) <= num_words else text[: ends[num_words - 1] if num_words else 0]
