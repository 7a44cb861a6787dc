"""Five ways to read a text that is longer than memory, as the StreamingLLM paper compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.model.lone_stream import LoneStream
from engine.model.model import StreamingModel
from engine.schedule.window import Window


class Policy(Protocol):
    """A model on its way through one text."""

    def feed(self, token_ids: Sequence[int]) -> Tensor:
        """The next tokens of the text: their logits, (C, vocab) float32."""

    @property
    def kv_bytes(self) -> int:
        """Keys and values that it holds now."""


class Dense:
    """Every token sees all before it: memory grows, and positions pass the trained length."""

    def __init__(self, model: StreamingModel, window: Window) -> None:
        self._model = model
        self._cache: Any = None

    def feed(self, token_ids: Sequence[int]) -> Tensor:
        logits, self._cache = self._model.dense_step(token_ids, self._cache)
        return logits

    @property
    def kv_bytes(self) -> int:
        layers = self._cache.layers if self._cache is not None else ()
        return sum(int(layer.keys.nbytes + layer.values.nbytes) for layer in layers)


class Recompute:
    """The last tokens are computed from nothing, again for every token: right, and slow."""

    def __init__(self, model: StreamingModel, window: Window) -> None:
        self._model, self._size = model, window.size
        self._last: list[int] = []

    def feed(self, token_ids: Sequence[int]) -> Tensor:
        return torch.cat([self._feed_one(token_id) for token_id in token_ids])

    def _feed_one(self, token_id: int) -> Tensor:
        self._last = [*self._last, token_id][-self._size :]
        return self._model.dense_logits(self._last, last_only=True)

    @property
    def kv_bytes(self) -> int:
        """Held while a token is computed, and not after it."""
        return self._model.bytes_per_token * len(self._last)


def recent_only(model: StreamingModel, window: Window) -> Policy:
    """As much memory as the window, spent on recent tokens alone."""
    return LoneStream(model, Window(0, window.size))


def with_sinks(model: StreamingModel, window: Window) -> Policy:
    """What the engine does."""
    return LoneStream(model, window)


def in_blocks(model: StreamingModel, window: Window) -> Policy:
    """Half of the recent tokens leave at a time, as llama.cpp and Intel's extension have it."""
    num_discard = max(1, window.num_recent // 2)
    return LoneStream(model, replace(window, num_discard=num_discard))


POLICIES: dict[str, Callable[[StreamingModel, Window], Policy]] = {
    "dense": Dense,
    "window": recent_only,
    "recompute": Recompute,
    "blocks": in_blocks,
    "sinks": with_sinks,
}
