"""Five ways to read a text that is longer than memory, as the StreamingLLM paper compares them.

Each yields the logits of every token in order, (C, vocab) at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.model import StreamingModel
from engine.stream import LoneStream
from engine.window import Window

CHUNK = 256

Policy = Callable[[StreamingModel, Sequence[int], Window], Iterator[Tensor]]


def dense(model: StreamingModel, token_ids: Sequence[int], window: Window) -> Iterator[Tensor]:
    """Every token sees all before it: memory grows, and positions pass the trained length."""
    return model.dense_stream(_chunks(token_ids))


def recent_only(
    model: StreamingModel, token_ids: Sequence[int], window: Window
) -> Iterator[Tensor]:
    """As much memory as the window, spent on recent tokens alone."""
    return with_sinks(model, token_ids, Window(0, window.size))


def recompute(model: StreamingModel, token_ids: Sequence[int], window: Window) -> Iterator[Tensor]:
    """The last tokens are computed from nothing, again for every token: right, and slow."""
    for stop in range(1, len(token_ids) + 1):
        yield model.dense_logits(token_ids[max(0, stop - window.size) : stop], last_only=True)


def with_sinks(model: StreamingModel, token_ids: Sequence[int], window: Window) -> Iterator[Tensor]:
    """What the engine does."""
    stream = LoneStream(model, window)
    for chunk in _chunks(token_ids):
        yield stream.feed(chunk)


def in_blocks(model: StreamingModel, token_ids: Sequence[int], window: Window) -> Iterator[Tensor]:
    """Half of the recent tokens leave at a time, as llama.cpp and Intel's extension have it."""
    num_discard = max(1, window.num_recent // 2)
    return with_sinks(model, token_ids, replace(window, num_discard=num_discard))


POLICIES: dict[str, Policy] = {
    "dense": dense,
    "window": recent_only,
    "recompute": recompute,
    "blocks": in_blocks,
    "sinks": with_sinks,
}


def kv_bytes(policy: str, model: StreamingModel, num_tokens: int, window: Window) -> int:
    """Keys and values held at the end of a text of `num_tokens`."""
    return model.bytes_per_token * (num_tokens if policy == "dense" else window.size)


def losses(logits: Iterator[Tensor], token_ids: Sequence[int]) -> Iterator[Tensor]:
    """Negative log-likelihood (nats) of token_ids[1:], in pieces as the logits come."""
    start = 0
    for piece in logits:
        following = torch.tensor(token_ids[start + 1 : start + 1 + len(piece)], dtype=torch.long)
        scores = piece[: len(following)].float()
        yield torch.nn.functional.cross_entropy(
            scores, following.to(scores.device), reduction="none"
        ).cpu()
        start += len(piece)


def _chunks(token_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (token_ids[start : start + CHUNK] for start in range(0, len(token_ids), CHUNK))
