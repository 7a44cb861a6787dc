"""From logits to the next token of each generating session."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.schedule.generation import GREEDY, AllBut, Generation, Only, Sampling, Watching


def sample(logits: Tensor, generations: Sequence[Generation]) -> list[int]:
    """The next token of each generation from its row of (B, vocab) logits."""
    greedy: list[int] = logits.argmax(dim=-1).tolist()
    return [
        best if _is_plain(generation) else _sample_one(row, generation)
        for best, row, generation in zip(greedy, logits, generations, strict=True)
    ]


def _is_plain(generation: Generation) -> bool:
    return generation.constraint is None and generation.request.sampling == GREEDY


def _sample_one(logits: Tensor, generation: Generation) -> int:
    request, sampling = generation.request, generation.request.sampling
    scores = _penalised(logits.float().cpu(), generation.token_ids, sampling.repetition_penalty)
    constraint, allowed = generation.constraint, generation.allowed()
    if constraint is not None and allowed is not None:
        mask, best = _mask(allowed, len(scores)), int(scores.argmax())
        scores = scores.masked_fill(~mask, -torch.inf)
        if isinstance(constraint, Watching) and not mask[best]:
            constraint.refused(best)
    if sampling.is_greedy:
        return int(scores.argmax())
    likely = _among_the_likeliest(scores / sampling.temperature, sampling)
    return _draw(likely, request.seed, generation.num_drawn)


def _penalised(scores: Tensor, said: Sequence[int], penalty: float) -> Tensor:
    if penalty == 1 or not said:
        return scores
    ids = torch.tensor(sorted(set(said)))
    before = scores[ids]
    return scores.index_put((ids,), torch.where(before < 0, before * penalty, before / penalty))


def _among_the_likeliest(scores: Tensor, sampling: Sampling) -> Tensor:
    """The others at minus infinity; one is always left."""
    if 0 < sampling.top_k < len(scores):
        scores = scores.masked_fill(scores < scores.topk(sampling.top_k).values[-1], -torch.inf)
    if sampling.top_p < 1:
        ordered, ids = scores.sort(descending=True, stable=True)
        shares = ordered.double().softmax(dim=-1)
        # A token stays while those before it do not make up the share yet.
        is_left_out = shares.cumsum(dim=-1) - shares >= sampling.top_p
        scores = scores.index_fill(0, ids[is_left_out], -torch.inf)
    if sampling.min_p > 0:
        shares = scores.double().softmax(dim=-1)
        scores = scores.masked_fill(shares < sampling.min_p * shares.max(), -torch.inf)
    return scores


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
    found = allowed.ids
    is_ready = isinstance(found, np.ndarray)
    ids = torch.as_tensor(found if is_ready else np.fromiter(found, np.int64, len(found)))
    mask[ids[ids < vocab_size]] = are_allowed
    return mask
