"""The engine's semantics, computed in the most naive way; shares no code with the engine.

The model runs once with a batch of S + R copies of the whole stream, copy p with every token at
position p: so each layer hands over every query and key at every place that a window has. Then one
query at a time, dense, in float64, straight from the definition: token t sees the sinks j < min(S,
t + 1) and the recent max(S, t - R + 1) <= j <= t; it stands at place min(t, S + R - 1), a recent
token t - j places before it, and a sink at its own place j.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

_window: list[tuple[int, int]] = []


def reference_logits(
    model: PreTrainedModel, token_ids: list[int], num_sinks: int, num_recent: int
) -> Tensor:
    """(T, vocab) float32."""
    num_places = num_sinks + num_recent
    ids = torch.tensor([token_ids]).expand(num_places, -1)
    positions = torch.arange(num_places).unsqueeze(1).expand_as(ids)
    before = model.config._attn_implementation
    model.set_attn_implementation("naive_reference")
    _window.append((num_sinks, num_recent))
    try:
        with torch.inference_mode():
            copies = model(input_ids=ids, position_ids=positions, use_cache=False)
    finally:
        _window.pop()
        model.set_attn_implementation(before)
    return copies.logits[0].float()


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
    num_sinks, num_recent = _window[-1]
    groups = query.shape[1] // key.shape[1]
    keys = key.double().repeat_interleave(groups, dim=1)
    values = value[0].double().repeat_interleave(groups, dim=0)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    answers = []
    for t in range(query.shape[2]):
        place = min(t, num_sinks + num_recent - 1)
        seen = [(j, j) for j in range(min(num_sinks, t + 1))]
        seen += [(j, place - (t - j)) for j in range(max(num_sinks, t - num_recent + 1), t + 1)]
        if sliding_window is not None:
            seen = [(j, at) for j, at in seen if place - at < sliding_window]
        tokens, places = map(list, zip(*seen, strict=True))
        scores = (keys[places, :, tokens] * query[place, :, t].double()).sum(-1) * scaling
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        if s_aux is not None:
            scores = torch.cat([scores, s_aux.double().unsqueeze(0)])
        shares = scores.softmax(dim=0)[: len(tokens)]
        answers.append((shares.unsqueeze(-1) * values[:, tokens].transpose(0, 1)).sum(0))
    answer = torch.stack(answers).to(query.dtype)
    return answer.expand(query.shape[0], *answer.shape), None


AttentionInterface.register("naive_reference", _attention)
