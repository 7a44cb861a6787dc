"""Before a model is used: does the engine's path give what the model's own attention gives?

A few tokens, fewer than the window holds, so that dense attention is the right answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from engine.errors import NotStreamable
from engine.model.lone_stream import Computes, LoneStream
from engine.schedule.window import Window

WINDOW = Window(num_sinks=4, num_recent=28)
WAYS = {
    "all tokens at once": (24,),
    "tokens in pieces, from the store": (1, 6, 2, 15),
}
# Error relative to the logits' spread, of the median token: half precision may send single tokens
# to other experts, but a wrong attention is wrong by about 1 nearly everywhere.
TOLERANCE = 1e-3
TOLERANCE_IN_HALF_PRECISION = 0.2


class Checkable(Computes, Protocol):
    """A StreamingModel, as far as it is there when it is checked."""

    dtype: torch.dtype
    vocab_size: int

    def dense_logits(self, token_ids: Sequence[int], *, last_only: bool = False) -> Tensor: ...


def check_against_own_attention(model: Checkable) -> None:
    """NotStreamable if the engine's logits are not the model's."""
    token_ids = [(7 * i + 3) % model.vocab_size for i in range(24)]
    own = model.dense_logits(token_ids)
    tolerance = TOLERANCE_IN_HALF_PRECISION if model.dtype.itemsize == 2 else TOLERANCE
    for way, sizes in WAYS.items():
        stream = LoneStream(model, WINDOW)
        pieces = torch.split(torch.tensor(token_ids), list(sizes))
        streamed = torch.cat([stream.feed(piece.tolist()) for piece in pieces])
        error = _median_error(streamed, own)
        if not error <= tolerance:
            raise NotStreamable(f"with {way}, its logits are off by {error:.1%}")


def error_of_single_tokens(model: Checkable) -> float:
    """The largest of single tokens, just past a full window, beside the same in a chunk."""
    ids = [(7 * i + 3) % model.vocab_size for i in range(WINDOW.size + 8)]
    alone, together = LoneStream(model, WINDOW), LoneStream(model, WINDOW)
    for stream in (alone, together):
        stream.feed(ids[:-8])
    found = torch.cat([alone.feed([token]) for token in ids[-8:]])
    return float(_errors(found, together.feed(ids[-8:])).max())


def _median_error(streamed: Tensor, own: Tensor) -> float:
    return float(_errors(streamed, own).median())


def _errors(streamed: Tensor, own: Tensor) -> Tensor:
    """(T,): of each token's logits, relative to their spread."""
    spread = (own - own.mean(dim=-1, keepdim=True)).norm(dim=-1)
    errors: Tensor = (streamed - own).norm(dim=-1) / spread
    return errors
