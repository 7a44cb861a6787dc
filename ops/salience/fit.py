"""What each word piece is worth: a ridge regression of the labels on the pieces and the form.

Solved by conjugate gradients: the same numbers each time, in seconds, on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from engine.sentences.words import FORMS, WordWorth, form, pieces

NUM_ROUNDS = 80
STIFFNESS_OF_PIECES, STIFFNESS_OF_FORMS = 2.0, 1.0
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Lesson:
    """Sentences with their labels; weight: how much each of them counts."""

    sentences: Sequence[str]
    labels: Sequence[float]
    weight: float


@dataclass(frozen=True)
class Table:
    """[sentences, pieces + forms], of which few are not 0: the share of each piece in a sentence,
    and its forms."""

    rows: Numbers
    columns: Numbers
    values: Numbers
    shape: tuple[int, int]

    def times(self, vector: Numbers) -> Numbers:
        found: Numbers = np.bincount(self.rows, self.values * vector[self.columns], self.shape[0])
        return found

    def across(self, vector: Numbers) -> Numbers:
        """The transposed table times `vector`."""
        found: Numbers = np.bincount(self.columns, self.values * vector[self.rows], self.shape[1])
        return found


def fit(tokenizer: Tokenizer, lessons: Sequence[Lesson]) -> WordWorth:
    sentences = [sentence for lesson in lessons for sentence in lesson.sentences]
    labels = np.array([label for lesson in lessons for label in lesson.labels])
    weights = np.concatenate([np.full(len(le.labels), le.weight) for le in lessons])
    size = tokenizer.get_vocab_size()
    stiffness = np.concatenate(
        [np.full(size, STIFFNESS_OF_PIECES), np.full(len(FORMS), STIFFNESS_OF_FORMS)]
    )
    base = float((labels * weights).sum() / weights.sum())
    found = _ridge(_table(tokenizer, sentences, size), labels - base, weights, stiffness)
    found = found.astype(np.float32)
    return WordWorth(found[:size], found[size:], base)


def _table(tokenizer: Tokenizer, sentences: Sequence[str], size: int) -> Table:
    ids = pieces(tokenizer, sentences)
    forms = [size + place for place in range(len(FORMS))]
    columns = [column for these in ids for column in (*these, *forms)]
    values = [
        value
        for these, sentence in zip(ids, sentences, strict=True)
        for value in (*([1 / len(these)] * len(these) if these else ()), *form(sentence))
    ]
    rows = np.repeat(np.arange(len(ids)), [len(these) + len(forms) for these in ids])
    return Table(rows, np.array(columns), np.array(values), (len(ids), size + len(forms)))


def _ridge(table: Table, labels: Numbers, weights: Numbers, stiffness: Numbers) -> Numbers:
    """The w of least sum(weights * (table @ w - labels)^2) + sum(stiffness * w^2)."""
    found = np.zeros(table.shape[1])
    rest = table.across(labels * weights)
    step, size = rest.copy(), rest @ rest
    for _ in range(NUM_ROUNDS):
        image = table.across(table.times(step) * weights) + stiffness * step
        length = size / max(step @ image, 1e-30)
        found, rest = found + length * step, rest - length * image
        before, size = size, rest @ rest
        step = rest + size / max(before, 1e-30) * step
    return found
