"""Is it the same model? A fast wrong answer would win every benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor

from engine.bench.run_size import CHUNK
from engine.bench.subject import Subject
from engine.model.lone_stream import LoneStream

# Fewer tokens than the window holds: there, stock attention gives the right answer.
DENSE_TOKENS = 240
UNEVEN_CHUNKS = (1, 7, 64, 33)


@dataclass(frozen=True)
class Agreement:
    """Largest differences between logits, and the logits' own standard deviation beside them."""

    max_difference_from_stock: float
    max_difference_of_chunks_from_singles: float
    num_tokens_past_window: int
    logits_deviation: float


def measure_agreement(subject: Subject) -> Agreement:
    """With stock attention before the window is full; with our own single tokens past that."""
    window = subject.engine.window
    dense_tokens = subject.tokens(min(DENSE_TOKENS, window.size))
    stock = subject.stock.logits(dense_tokens)
    past_window = subject.tokens(window.size + CHUNK)
    singles = _streamed(subject, past_window, (1,))
    return Agreement(
        _largest_difference(_streamed(subject, dense_tokens, UNEVEN_CHUNKS), stock),
        _largest_difference(_streamed(subject, past_window, (CHUNK,)), singles),
        len(past_window),
        float(stock.std()),
    )


def _streamed(subject: Subject, token_ids: Sequence[int], chunks: Sequence[int]) -> Tensor:
    """(T, vocab) float32 logits of one stream, fed in these chunks over and over."""
    stream = LoneStream(subject.engine.model, subject.engine.window)
    return torch.cat([stream.feed(part) for part in _cut(token_ids, chunks)])


def _cut(token_ids: Sequence[int], chunks: Sequence[int]) -> Iterator[Sequence[int]]:
    start = 0
    for size in cycle(chunks):
        if start >= len(token_ids):
            return
        yield token_ids[start : start + size]
        start += size


def _largest_difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max())
