"""The engine's semantics, computed in the most naive way; shares no code with the engine.

The model runs once with a batch of S + R copies of the whole stream, copy p with every token at
position p: so each layer hands over every query and key at every place that a window has. Then one
query at a time, dense, in float64, straight from the definition: a list of at most S + R tokens, of
which the D after the first S go when a token comes and finds it full. A token sees the list that
ends with it, and each token of it at its place in the list.

A model with ALiBi counts places in its own cache: it reads one token at a time, unchanged, and of
the cache only what the window still has is kept.

Keys and values that are kept in a rougher format are rounded as they are computed, at the position
of their own number: one copy more has every token there. For the sinks it lends the keys, for the
recent tokens, whose distances are those of the numbers, the queries as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.models.gptj.modeling_gptj import GPTJAttention

_window: list[tuple[int, int, int]] = []
_kv_dtype: list[str | None] = []


def reference_logits(
    model: PreTrainedModel,
    token_ids: list[int],
    num_sinks: int,
    num_recent: int,
    num_discard: int = 1,
    *,
    kv_dtype: str | None = None,
) -> Tensor:
    """(T, vocab) float32."""
    window = num_sinks, num_recent, num_discard
    if model.config.model_type in ("bloom", "mpt") or getattr(model.config, "alibi", False):
        return _alibi_logits(model, token_ids, *window, kv_dtype)
    ids = torch.tensor([token_ids]).expand(num_sinks + num_recent + 1, -1)
    positions = torch.arange(len(ids)).unsqueeze(1).repeat(1, len(token_ids))
    positions[-1] = torch.arange(len(token_ids))
    _window.append(window)
    _kv_dtype.append(kv_dtype)
    try:
        with torch.inference_mode(), _naive_attention(model):
            copies = model(input_ids=ids, position_ids=positions, use_cache=False)
    finally:
        _window.pop()
        _kv_dtype.pop()
    return copies.logits[0].float()


def rounded(vectors: Tensor, kv_dtype: str | None) -> Tensor:
    """What remains of (..., D) when each vector is kept in `kv_dtype`."""
    if kv_dtype is None:
        return vectors
    if kv_dtype != "int8":
        return vectors.to(getattr(torch, kv_dtype)).to(vectors.dtype)
    step = vectors.abs().max(dim=-1, keepdim=True).values.float().to(vectors.dtype) / 127.0
    return torch.round(vectors / step) * step


@torch.inference_mode()
def _alibi_logits(
    model: PreTrainedModel,
    token_ids: list[int],
    num_sinks: int,
    num_recent: int,
    num_discard: int,
    kv_dtype: str | None,
) -> Tensor:
    cache = _RoundingCache(kv_dtype)
    logits = []
    for token_id in token_ids:
        ids = torch.tensor([[token_id]])
        # Falcon's eager attention counts its bias twice.
        with _attending_as(model, "sdpa" if model.config.model_type == "falcon" else "eager"):
            answer = model(input_ids=ids, past_key_values=cache, use_cache=True)
        logits.append(answer.logits[0, 0])
        for layer in cache.layers:
            if layer.keys.shape[2] == num_sinks + num_recent:
                layer.keys = _without(layer.keys, num_sinks, num_discard)
                layer.values = _without(layer.values, num_sinks, num_discard)
    return torch.stack(logits).float()


def _without(states: Tensor, num_sinks: int, num_discard: int) -> Tensor:
    """(1, KV, T, D) without the `num_discard` tokens that follow the sinks."""
    kept = states[:, :, :num_sinks], states[:, :, num_sinks + num_discard :]
    return torch.cat(kept, dim=2)


class _RoundingCache(DynamicCache):
    """Gives back what it keeps: also a token's own key and value, rounded."""

    def __init__(self, kv_dtype: str | None) -> None:
        super().__init__()
        self.kv_dtype = kv_dtype

    def update(self, keys: Tensor, values: Tensor, *rest: Any, **more: Any) -> Any:
        states = rounded(keys, self.kv_dtype), rounded(values, self.kv_dtype)
        return super().update(*states, *rest, **more)


@contextmanager
def _naive_attention(model: PreTrainedModel) -> Iterator[None]:
    """Within this block the model attends as `_attention` does."""
    if model.config.model_type == "falcon":
        fused = patch("torch.nn.functional.scaled_dot_product_attention", _fused_attention)
        with _attending_as(model, "sdpa"), fused:
            yield
    elif model.config.model_type == "gptj":
        with patch.object(GPTJAttention, "_attn", lambda _, *qkv: (_fused_attention(*qkv), None)):
            yield
    else:
        with _attending_as(model, "naive_reference"):
            yield


@contextmanager
def _attending_as(model: PreTrainedModel, implementation: str) -> Iterator[None]:
    before = model.config._attn_implementation
    model.config._attn_implementation = implementation
    try:
        yield
    finally:
        model.config._attn_implementation = before


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    """As torch's own: (places, H, T, D)."""
    return _attention(nn.Module(), query, key, value, None)[0].transpose(1, 2)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """query (places, H, T, D), key and value (places, KV, T, D) -> (places, T, H, D)."""
    num_sinks, num_recent, num_discard = _window[-1]
    key, value = rounded(key, _kv_dtype[-1]), rounded(value, _kv_dtype[-1])
    groups = query.shape[1] // key.shape[1]
    keys = key.double().repeat_interleave(groups, dim=1)
    values = value[0].double().repeat_interleave(groups, dim=0)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    answers = []
    window: list[int] = []
    for t in range(query.shape[2]):
        if len(window) == num_sinks + num_recent:
            del window[num_sinks : num_sinks + num_discard]
        window.append(t)
        place = len(window) - 1
        nearest = 0 if sliding_window is None else max(0, len(window) - sliding_window)
        tokens, places = window[nearest:], list(range(nearest, len(window)))
        looks = [place] * len(tokens)
        if _kv_dtype[-1] is not None:
            looks = [place if j < num_sinks else -1 for j in tokens]
            places = [-1] * len(tokens)
        scores = (keys[places, :, tokens] * query[looks, :, t].double()).sum(-1) * scaling
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        if s_aux is not None:
            scores = torch.cat([scores, s_aux.double().unsqueeze(0)])
        shares = scores.softmax(dim=0)[: len(tokens)]
        answers.append((shares.unsqueeze(-1) * values[:, tokens].transpose(0, 1)).sum(0))
    answer = torch.stack(answers).to(query.dtype)
    return answer.expand(query.shape[0], *answer.shape), None


AttentionInterface.register("naive_reference", _attention)
