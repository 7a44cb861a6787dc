"""A step's segments, laid out as one packed sequence and cut into blocks for the attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from engine.block import Block
from engine.scheduler import Segment

# Queries attended together: a block scores the whole ring and all of itself, and of that only a
# band of the ring's width is visible. Shorter blocks waste less, longer ones call less.
BLOCK_TOKENS = 128


@dataclass(frozen=True)
class StepPlan:
    """One packed forward pass: N tokens, their positions, and which of them want logits."""

    input_ids: Tensor  # (1, N)
    position_ids: Tensor  # (1, N)
    logits_at: Tensor  # (wanted,) indices into N
    blocks: tuple[Block, ...]


def lay_out(
    segments: Sequence[Segment], device: torch.device, *, all_logits: bool = False
) -> StepPlan:
    """Pack `segments` (those of one token first, by row) and cut them into blocks."""
    token_ids = [token for segment in segments for token in segment.token_ids]
    positions: list[int] = []
    logits_at: list[int] = []
    for segment in segments:
        start = segment.first - segment.session.base
        positions.extend(range(start, start + segment.num_tokens))
        if segment.wants_logits:
            logits_at.append(len(positions) - 1)
    return StepPlan(
        torch.tensor([token_ids], device=device),
        torch.tensor([positions], device=device),
        torch.tensor(range(len(token_ids)) if all_logits else logits_at, device=device),
        tuple(_blocks(segments, device)),
    )


def _blocks(segments: Sequence[Segment], device: torch.device) -> Iterator[Block]:
    singles = [segment for segment in segments if segment.num_tokens == 1]
    offset = 0
    for run in _adjacent_rows(singles):
        yield Block([s.session for s in run], [s.first for s in run], offset, 1, device)
        offset += len(run)
    for segment in segments[len(singles) :]:
        for start in range(0, segment.num_tokens, BLOCK_TOKENS):
            num_tokens = min(BLOCK_TOKENS, segment.num_tokens - start)
            yield Block([segment.session], [segment.first + start], offset, num_tokens, device)
            offset += num_tokens


def _adjacent_rows(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Cut where a row is skipped, so that every run reads the store as one slice, in place."""
    numbered = enumerate(segments)
    runs = groupby(numbered, key=lambda pair: pair[1].session.row - pair[0])
    return [[segment for _, segment in run] for _, run in runs]
