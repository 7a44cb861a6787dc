"""Families that transformers' attention interface does not reach: one small adapter each.

An adapter names modules of a loaded model and what they run instead of their own `forward`: their
own projections and, between them, the engine's attention, which is given queries, keys and values
as the interface would: (1, heads, N, head_dim). No mask is made, and no ALiBi tensor that is longer
than the step: the engine knows every distance.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions
from transformers.models.falcon import modeling_falcon

from engine.attention.hook import IMPLEMENTATION, attention
from engine.memory.rotary import Rotary

Swap = tuple[nn.Module, Callable[..., Any]]

# What computes x W' + b and nothing else, by whatever operations.
PLAIN_LINEARS = (nn.Linear, modeling_falcon.FalconLinear)


def set_attention(hf: PreTrainedModel, implementation: str) -> None:
    """From now on `hf` attends as `implementation` does; IMPLEMENTATION is the engine's own."""
    adapter = ADAPTERS.get(hf.config.model_type)
    if adapter is None:
        hf.set_attn_implementation(implementation)
        return
    hf.config._attn_implementation = implementation
    for module, forward in adapter(hf):
        if implementation == IMPLEMENTATION:
            module.forward = forward
        else:
            module.__dict__.pop("forward", None)


def plain_attention(hf: PreTrainedModel) -> str:
    """The model's own attention as its makers wrote it down."""
    # Falcon's eager attention adds its ALiBi bias twice: once by itself, once with the mask.
    return "sdpa" if hf.config.model_type == "falcon" else "eager"


def _bloom(hf: PreTrainedModel) -> Iterator[Swap]:
    model: Any = hf.base_model
    two_places = torch.ones(1, 2, device=hf.device)
    slopes = model.build_alibi_tensor(two_places, model.num_heads, torch.float32)[:, 0, 1]
    for block in model.h:
        yield block.self_attention, partial(_bloom_layer, block.self_attention, slopes)


def _bloom_layer(
    layer: Any, slopes: Tensor, hidden_states: Tensor, residual: Tensor, **_: Any
) -> tuple[Tensor, None]:
    query, key, value = layer._reshape(layer.query_key_value(hidden_states))
    scaling = layer.inv_norm_factor
    answers = attention(layer, query, key, value, scaling=scaling, alibi_slopes=slopes)[0]
    return layer.dense(answers.flatten(2)) + residual, None


def _mpt(hf: PreTrainedModel) -> Iterator[Swap]:
    model: Any = hf.base_model
    # Its own forward makes a bias for max_seq_len tokens and insists on a mask.
    yield model, partial(_mpt_model, model)
    slopes = -model.build_mpt_alibi_tensor(model.num_heads, 2, device=hf.device)[:, 0, 0]
    for block in model.blocks:
        yield block.attn, partial(_mpt_layer, block.attn, slopes)


def _mpt_model(
    model: Any, input_ids: Tensor, **_: Any
) -> BaseModelOutputWithPastAndCrossAttentions:
    hidden_states = model.wte(input_ids)
    for block in model.blocks:
        hidden_states, _ = block(hidden_states, position_bias=None, attention_mask=None)
    return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=model.norm_f(hidden_states))


def _mpt_layer(layer: Any, slopes: Tensor, hidden_states: Tensor, **_: Any) -> tuple[Tensor, None]:
    mixed = layer.Wqkv(hidden_states)
    if layer.clip_qkv:
        mixed = mixed.clamp(-layer.clip_qkv, layer.clip_qkv)
    heads = mixed.unflatten(-1, (3, layer.n_heads, layer.head_dim)).transpose(1, 3)
    query, key, value = heads.unbind(2)
    scaling = layer.softmax_scale
    answers = attention(layer, query, key, value, scaling=scaling, alibi_slopes=slopes)[0]
    return layer.out_proj(answers.flatten(2)), None


def _falcon(hf: PreTrainedModel) -> Iterator[Swap]:
    model: Any = hf.base_model
    slopes = _falcon_slopes(model, hf.device) if model.use_alibi else None
    for block in model.h:
        yield block.self_attention, partial(_falcon_layer, block.self_attention, slopes)


def _falcon_slopes(model: Any, device: torch.device) -> Tensor:
    """Falcon scales the sum of score and bias, others the score alone."""
    two_places = torch.ones(1, 2, device=device)
    bias = modeling_falcon.build_alibi_tensor(two_places, model.num_heads, torch.float32)
    scaling: float = model.h[0].self_attention.inv_norm_factor
    return bias[:, 0, 1] * scaling


def _falcon_layer(
    layer: Any,
    slopes: Tensor | None,
    hidden_states: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    **_: Any,
) -> tuple[Tensor, None]:
    """Each group of heads is its queries, one key and one value: multi-query is a single group."""
    fused = layer.query_key_value(hidden_states)
    groups = fused.unflatten(-1, (layer.num_kv_heads, -1, layer.head_dim))
    query = groups[..., :-2, :].flatten(2, 3).transpose(1, 2)
    key, value = groups[..., -2, :].transpose(1, 2), groups[..., -1, :].transpose(1, 2)
    if slopes is None:
        rotate: Any = modeling_falcon.apply_rotary_pos_emb
        query, key = rotate(query, key, *position_embeddings)
    scaling = layer.inv_norm_factor
    answers = attention(layer, query, key, value, scaling=scaling, alibi_slopes=slopes)[0]
    return layer.dense(answers.flatten(2)), None


def _gptj(hf: PreTrainedModel) -> Iterator[Swap]:
    model: Any = hf.base_model
    width = model.h[0].attn.pos_embd_dim
    # As GPT-J makes its own table of sines, which ends at max_position_embeddings.
    inv_freq = 1.0 / (10000 ** (torch.arange(0, width, 2, device=hf.device) / width))
    # Where whoever looks for a model's frequencies finds them.
    model.register_buffer("inv_freq", inv_freq, persistent=False)
    rotary = Rotary(inv_freq, "interleaved")
    for block in model.h:
        yield block.attn, partial(_gptj_layer, block.attn, rotary)


def _gptj_layer(
    layer: Any, rotary: Rotary, hidden_states: Tensor, position_ids: Tensor, **_: Any
) -> tuple[Tensor, None]:
    query, key, value = (
        project(hidden_states).unflatten(-1, (-1, layer.head_dim)).transpose(1, 2)
        for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    cos, sin = rotary.angles(position_ids[0])
    query, key = rotary.turn(query, cos, sin), rotary.turn(key, cos, sin)
    answers = attention(layer, query, key, value, scaling=1 / layer.scale_attn)[0]
    return layer.out_proj(answers.flatten(2)), None


ADAPTERS: dict[str, Callable[[PreTrainedModel], Iterator[Swap]]] = {
    "bloom": _bloom,
    "falcon": _falcon,
    "gptj": _gptj,
    "mpt": _mpt,
}
