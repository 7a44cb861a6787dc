"""The other side: the same weights in an untouched transformers model, used as people use it.

No participant computes logits while feeding, ours or theirs: nobody reads them. All of theirs work
at a context of about one window, where they have to read as many keys as the engine does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from engine.attention.adapters import set_attention
from engine.bench.interleaved import Work


class StockModel:
    """A copy of a model with its default attention; the weights are the same tensors."""

    def __init__(self, hf: PreTrainedModel) -> None:
        shared = {id(tensor): tensor for tensor in chain(hf.parameters(), hf.buffers())}
        # Any: what `generate` is cannot be seen from its declaration.
        self.hf: Any = copy.deepcopy(hf, shared)
        set_attention(self.hf, "sdpa" if hf._supports_sdpa else "eager")

    @torch.inference_mode()
    def logits(self, token_ids: list[int]) -> Tensor:
        """(T, vocab) float32 of a text that it sees as a whole."""
        inputs = torch.tensor([token_ids])
        logits: Tensor = self.hf(input_ids=inputs, use_cache=False).logits[0]
        return logits.float()

    @contextmanager
    def feeding(self, past: Tensor, fresh: Tensor, chunk: int) -> Iterator[Work]:
        """`fresh` (1, T) in chunks on top of a dynamic cache that holds `past`."""
        cache = self._cache_of(past)

        def work() -> int:
            with torch.inference_mode():
                for ids in torch.split(fresh, chunk, dim=1):
                    self.hf.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
            return fresh.shape[1]

        yield work

    @contextmanager
    def recomputing(self, window: Tensor, num_tokens: int) -> Iterator[Work]:
        """The whole window (1, T) once for every new token, without any cache."""

        def work() -> int:
            with torch.inference_mode():
                for _ in range(num_tokens):
                    self.hf.base_model(input_ids=window, use_cache=False)
            return num_tokens

        yield work

    @contextmanager
    def generating(self, past: Tensor, num_tokens: int, num_streams: int = 1) -> Iterator[Work]:
        """`generate`, greedy, of equal streams of `past` (1, T), whose last token is not cached.

        It never stops early, and reading `past` is not timed.
        """
        cache = self._cache_of(past[:, :-1])
        cache.batch_repeat_interleave(num_streams)
        past = past.repeat(num_streams, 1)
        greedy = {"do_sample": False, "max_new_tokens": num_tokens, "min_new_tokens": num_tokens}

        def work() -> int:
            with torch.inference_mode():
                output = self.hf.generate(
                    past,
                    attention_mask=torch.ones_like(past),
                    past_key_values=cache,
                    pad_token_id=0,
                    **greedy,
                )
            return int(output.shape[1] - past.shape[1]) * past.shape[0]

        yield work

    @torch.inference_mode()
    def _cache_of(self, past: Tensor) -> DynamicCache:
        cache = DynamicCache(config=self.hf.config)
        self.hf.base_model(input_ids=past, past_key_values=cache, use_cache=True)
        return cache
