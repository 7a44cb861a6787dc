"""A step's segments, laid out as one packed sequence and cut into parts for the attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import torch
from torch import Tensor

from engine.attention.chunk import Chunk
from engine.attention.singles import Singles
from engine.schedule.scheduler import Segment


@dataclass(frozen=True)
class StepPlan:
    """One packed forward pass: N tokens and their positions, fillers behind those of the parts."""

    input_ids: Tensor  # (1, N)
    position_ids: Tensor  # (1, N)
    parts: tuple[Singles | Chunk, ...]


def lay_out(segments: Sequence[Segment], device: torch.device, *, num_fillers: int = 0) -> StepPlan:
    """Pack `segments` (those of one token first, by row) and cut them into parts."""
    token_ids = [token for segment in segments for token in segment.token_ids]
    positions: list[int] = []
    for segment in segments:
        start = segment.first - segment.session.base
        positions.extend(range(start, start + segment.num_tokens))
    fillers = [0] * num_fillers
    return StepPlan(
        torch.tensor([token_ids + fillers], device=device),
        torch.tensor([positions + fillers], device=device),
        tuple(_parts(segments, device)),
    )


def wanted_logits(segments: Sequence[Segment], *, all_logits: bool) -> list[int]:
    """Which tokens of the packed pass want logits: all, or the last ones of those who do."""
    ends = accumulate(segment.num_tokens for segment in segments)
    last = [end - 1 for end, segment in zip(ends, segments, strict=True) if segment.wants_logits]
    return list(range(sum(s.num_tokens for s in segments))) if all_logits else last


def _parts(segments: Sequence[Segment], device: torch.device) -> Iterator[Singles | Chunk]:
    singles = [segment for segment in segments if segment.num_tokens == 1]
    offset = 0
    for run in _adjacent_rows(singles):
        yield Singles([s.session for s in run], [s.first for s in run], offset, device)
        offset += len(run)
    for segment in segments[len(singles) :]:
        for tokens in _before_and_after(segment):
            yield Chunk(segment.session, tokens.start, offset, len(tokens), device)
            offset += len(tokens)


def _before_and_after(segment: Segment) -> list[range]:
    """Its tokens that come before the window is full, and those that come after."""
    first, stop = segment.first, segment.first + segment.num_tokens
    full = min(max(first, segment.session.window.size), stop)
    return [tokens for tokens in (range(first, full), range(full, stop)) if tokens]


def _adjacent_rows(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Cut where a row is skipped, so that every run reads the store as one slice, in place."""
    numbered = enumerate(segments)
    runs = groupby(numbered, key=lambda pair: pair[1].session.row - pair[0])
    return [[segment for _, segment in run] for _, run in runs]
