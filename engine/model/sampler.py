"""From logits to the next token of each generating session."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.schedule.generation import AllBut, Generation, Only


def sample(logits: Tensor, generations: Sequence[Generation]) -> list[int]:
    """The next token of each generation from its row of (B, vocab) logits."""
    greedy: list[int] = logits.argmax(dim=-1).tolist()
    return [
        best if _is_plain(generation) else _sample_one(row, generation)
        for best, row, generation in zip(greedy, logits, generations, strict=True)
    ]


def _is_plain(generation: Generation) -> bool:
    return generation.constraint is None and generation.request.temperature == 0


def _sample_one(logits: Tensor, generation: Generation) -> int:
    request = generation.request
    scores = logits.float().cpu()
    if generation.constraint is not None:
        scores = scores.masked_fill(
            ~_mask(generation.constraint.allowed(), len(scores)), -torch.inf
        )
    if request.temperature == 0:
        return int(scores.argmax())
    return _draw(scores / request.temperature, request.seed, generation.num_drawn)


def _draw(scores: Tensor, seed: int, count: int) -> int:
    """Draw number `count` of this seed. No state is kept, so nobody else in the batch matters."""
    generator = torch.Generator().manual_seed(((seed << 20) + count) % 2**63)
    uniform = torch.rand((), generator=generator, dtype=torch.float64)
    cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
    # Scaled by the total, which rounding leaves a little off 1.
    return int(torch.searchsorted(cumulative, uniform * cumulative[-1], right=True))


def _mask(allowed: Only | AllBut, vocab_size: int) -> Tensor:  # bool (vocab,)
    """A grammar may know fewer tokens than the model has logits (padding), or more."""
    are_allowed = isinstance(allowed, Only)
    mask = torch.full((vocab_size,), not are_allowed)
    ids = torch.as_tensor(np.fromiter(allowed.ids, np.int64, len(allowed.ids)))
    mask[ids[ids < vocab_size]] = are_allowed
    return mask
