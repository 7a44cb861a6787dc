"""What each word piece is worth: a ridge regression of the labels on the pieces and the form.

Solved by conjugate gradients; the same numbers each time, in seconds, on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.sentences.words import FORMS, WordWorth, form, pieces

NUM_ROUNDS = 80
STIFFNESS_OF_PIECES, STIFFNESS_OF_FORMS = 2.0, 1.0


@dataclass(frozen=True)
class Lesson:
    """Sentences with their labels; weight: how much each of them counts."""

    sentences: Sequence[str]
    labels: Sequence[float]
    weight: float


def fit(tokenizer: Tokenizer, lessons: Sequence[Lesson]) -> WordWorth:
    sentences = [sentence for lesson in lessons for sentence in lesson.sentences]
    labels = torch.tensor([label for lesson in lessons for label in lesson.labels])
    weights = torch.cat([torch.full((len(le.labels),), le.weight) for le in lessons])
    size = tokenizer.get_vocab_size()
    table = _table(tokenizer, sentences, size)
    base = float((labels * weights).sum() / weights.sum())
    stiffness = torch.cat(
        [torch.full((size,), STIFFNESS_OF_PIECES), torch.full((len(FORMS),), STIFFNESS_OF_FORMS)]
    )
    found = _ridge(table, labels - base, weights, stiffness)
    return WordWorth(found[:size].numpy(), found[size:].numpy(), base)


def _table(tokenizer: Tokenizer, sentences: Sequence[str], size: int) -> Tensor:
    """[sentences, pieces + forms], sparse: the share of each piece in its sentence."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, (ids, facts) in enumerate(
        zip(pieces(tokenizer, sentences), map(form, sentences), strict=True)
    ):
        columns += [*ids, *range(size, size + len(facts))]
        values += [*([1 / len(ids)] * len(ids) if ids else ()), *facts]
        rows += [row] * (len(ids) + len(facts))
    shape = len(sentences), size + len(FORMS)
    table = torch.sparse_coo_tensor(
        torch.tensor([rows, columns]), torch.tensor(values), shape, check_invariants=True
    )
    return table.coalesce()


def _ridge(table: Tensor, labels: Tensor, weights: Tensor, stiffness: Tensor) -> Tensor:
    """The w of least sum(weights * (table @ w - labels)^2) + sum(stiffness * w^2)."""
    across = table.t().coalesce()

    def times(vector: Tensor) -> Tensor:
        seen = torch.mv(table, vector) * weights
        return torch.mv(across, seen) + stiffness * vector

    found = torch.zeros(table.shape[1])
    rest = torch.mv(across, labels * weights)
    step, size = rest.clone(), rest @ rest
    for _ in range(NUM_ROUNDS):
        image = times(step)
        length = size / (step @ image)
        found, rest = found + length * step, rest - length * image
        before, size = size, rest @ rest
        step = rest + size / before * step
    return found
