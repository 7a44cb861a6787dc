"""A step as kernels read it: all its numbers in one tensor, which a GPU is sent at once.

Letters: N tokens of the step, M segments, B blocks of queries of one segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.schedule.scheduler import Segment
from engine.schedule.window import Window

NOWHERE = -1  # the row of a token that nobody after the step sees, and of what only fills up

# Of each token: itself, its position, how far its query is turned back to look at the sinks, the
# oldest recent token that it sees, its place in the window, and where it is kept.
TOKEN_FACTS = 7
# Of each segment: its row, where it begins in the step, the number of its first token, how many it
# has, and the S and R of its window.
SEGMENT_FACTS = 6
# Of each block: its segment, and its first query, counted in the segment.
BLOCK_FACTS = 2


@dataclass(frozen=True)
class Layout:
    """`numbers` (N * 7 + M * 6 + B * 2,) int64. Numbers of tokens are counted, segment by segment,
    from so many whole rounds of its ring before that they are small."""

    numbers: Tensor
    num_tokens: int
    num_segments: int
    num_blocks: int
    longest: int  # tokens of the longest segment
    queries_per_block: int

    @property
    def of_tokens(self) -> Tensor:
        """(7, N)."""
        return self.numbers[: TOKEN_FACTS * self.num_tokens].view(TOKEN_FACTS, -1)

    @property
    def of_segments(self) -> Tensor:
        """(M, 6)."""
        end = len(self.numbers) - BLOCK_FACTS * self.num_blocks
        return self.numbers[end - SEGMENT_FACTS * self.num_segments : end].view(-1, SEGMENT_FACTS)

    @property
    def of_blocks(self) -> Tensor:
        """(B, 2)."""
        return self.numbers[len(self.numbers) - BLOCK_FACTS * self.num_blocks :].view(-1, 2)

    @property
    def input_ids(self) -> Tensor:
        """(1, N)."""
        return self.of_tokens[:1]

    @property
    def position_ids(self) -> Tensor:
        """(1, N)."""
        return self.of_tokens[1:2]

    @property
    def turns(self) -> Tensor:
        """(N,)."""
        return self.of_tokens[2]

    @property
    def is_decoding(self) -> bool:
        """Whether every segment is a single token."""
        return self.longest == 1

    def to(self, device: torch.device) -> Layout:
        return replace(self, numbers=self.numbers.to(device))

    def filled_up_to(self, num_segments: int) -> Layout:
        """One that is decoding, with tokens at the end that read nothing and are kept nowhere."""
        num_more = num_segments - self.num_segments
        if num_more == 0:
            return self
        tokens = pad(self.of_tokens, (0, num_more))
        tokens[-2, self.num_tokens :] = NOWHERE
        segments = pad(self.of_segments, (0, 0, 0, num_more))
        numbers = torch.arange(self.num_segments, num_segments)
        lone = torch.tensor([NOWHERE, 0, 0, 1, 0, 1])
        segments[self.num_segments :] = lone
        segments[self.num_segments :, 1] = numbers
        blocks = pad(self.of_blocks, (0, 0, 0, num_more))
        blocks[self.num_blocks :, 0] = numbers
        return _packed(tokens, segments, blocks, 1, 1)


def lay_out_for_kernels(segments: Sequence[Segment], queries_per_block: int) -> Layout:
    """On the CPU, in the order of `segments`."""
    facts = torch.tensor([_facts(segment) for segment in segments])
    num_tokens = facts[:, 2]
    offsets = num_tokens.cumsum(0) - num_tokens
    rows, firsts, _, num_sinks, num_recent, _, _ = facts.unbind(1)
    num_rounds = ((firsts - num_sinks) // num_recent - 1).clamp(min=0)
    skipped = num_rounds * num_recent
    of_segments = torch.stack(
        (rows, offsets, firsts - skipped, num_tokens, num_sinks, num_recent), dim=1
    )
    return _packed(
        _of_tokens(segments, facts, offsets, skipped),
        of_segments,
        _of_blocks(num_tokens, queries_per_block),
        int(num_tokens.max()),
        queries_per_block,
    )


def _facts(segment: Segment) -> tuple[int, ...]:
    session, window = segment.session, segment.session.window
    return (
        session.row,
        segment.first,
        segment.num_tokens,
        window.num_sinks,
        window.num_recent,
        window.num_discard,
        session.base,
    )


def _of_tokens(
    segments: Sequence[Segment], facts: Tensor, offsets: Tensor, skipped: Tensor
) -> Tensor:
    owner, within = _spread(facts[:, 2], offsets)
    row, first, num_tokens, *window, base = facts[owner].unbind(1)
    num_sinks, num_recent, _ = window
    # Its arithmetic for all tokens at once.
    windows: Any = Window(*window)  # type: ignore[arg-type]
    token = first + within
    place = windows.place(token)
    in_ring = num_sinks + (token - num_sinks) % num_recent
    is_sink = token < num_sinks
    is_lasting = is_sink | (token >= first + num_tokens - num_recent)
    return torch.stack(
        (
            torch.tensor([token_id for segment in segments for token_id in segment.token_ids]),
            token - base,
            token - base - place,
            windows.oldest(token) - skipped[owner],
            place,
            torch.where(is_lasting, row, NOWHERE),
            torch.where(is_sink, token, in_ring),
        )
    )


def _of_blocks(num_tokens: Tensor, queries_per_block: int) -> Tensor:
    num_blocks = (num_tokens + queries_per_block - 1) // queries_per_block
    owner, within = _spread(num_blocks, num_blocks.cumsum(0) - num_blocks)
    return torch.stack((owner, within * queries_per_block), dim=1)


def _spread(counts: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Of as many things as `counts` says of each owner: whose it is, and the how-manieth."""
    owner = torch.repeat_interleave(counts)
    return owner, torch.arange(len(owner)) - offsets[owner]


def _packed(
    tokens: Tensor, segments: Tensor, blocks: Tensor, longest: int, queries_per_block: int
) -> Layout:
    numbers = torch.cat((tokens.flatten(), segments.flatten(), blocks.flatten()))
    counts = tokens.shape[1], len(segments), len(blocks)
    return Layout(numbers, *counts, longest, queries_per_block)
