"""The attention of a chunk: its band of recent tokens and the sinks, under one softmax.

Letters: H query heads = KV key-value heads x G, C queries of the chunk, B blocks of Q of them that
see T keys each, S sinks, Z = S, and one more where a layer has learned a sink of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from engine.attention.chunk import Band, Chunk
from engine.attention.hook import LayerCall
from engine.memory.formats import Kept

# Queries of a block, which scores up to Q - 1 keys more than each of them sees. Where all blocks
# are attended at once they may be short; one by one they had better be few.
QUERIES_AT_ONCE = 32
QUERIES = 128
# In half precision plain products are faster than PyTorch's fused attention for CPUs (figures:
# tests/bench/RESULTS.md). But they are oneDNN's, which keeps what it has compiled for each shape.
FUSED_DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Sight:
    """What the queries of a chunk look with in a layer, and at; all of the query's dtype.

    query, turned           (H, C, D): as they look at recent tokens, and at sinks
    keys, values            (KV, held + C, D) of recent tokens, in order
    sink_keys, sink_values  (KV, S, D); S = 0 if none is seen
    """

    query: Tensor
    turned: Tensor
    keys: Tensor
    values: Tensor
    sink_keys: Tensor
    sink_values: Tensor

    @property
    def num_sinks(self) -> int:
        return self.sink_keys.shape[1]

    def for_each_head(self, shared: Tensor) -> Tensor:
        """(KV, S, D) -> (H, S, D)."""
        num_groups = len(self.query) // len(shared)
        return shared.unsqueeze(1).expand(-1, num_groups, -1, -1).flatten(0, 1)


def dtype_for(call: LayerCall, chunk: Chunk, query: Tensor, values: Kept) -> torch.dtype:
    """In which to attend: the query's own, or float32 in its place, for fused attention where
    products would be of a shape that does not come again."""
    is_odd = not chunk.is_rolling or chunk.num_tokens % QUERIES > 0
    exact = torch.promote_types(query.dtype, torch.float32)
    is_fusible = _is_fusible(call, query.device, exact, (query, values.codes))
    return exact if is_odd and is_fusible else query.dtype


def attend_chunk(call: LayerCall, chunk: Chunk, sight: Sight) -> Tensor:
    """(C, H, D)."""
    beside = _sink_scores(call, chunk, sight)
    reach = chunk.reach(call.sliding_window)
    query = sight.query
    if not _is_fusible(call, query.device, query.dtype, (sight.keys, sight.values)):
        return _plain(call, chunk.bands(reach, QUERIES), sight, beside)
    num_queries = QUERIES_AT_ONCE if chunk.is_rolling else QUERIES
    return _fused(call, chunk.bands(reach, num_queries), sight, beside)


def _is_fusible(
    call: LayerCall, device: torch.device, dtype: torch.dtype, pair: tuple[Tensor, Tensor]
) -> bool:
    """`pair`: as wide as keys and values."""
    is_even = pair[0].shape[-1] == pair[1].shape[-1]
    is_at_hand = device.type == "cpu" and dtype in FUSED_DTYPES
    return is_at_hand and is_even and call.softcap is None and fuses_attention()


def _sink_scores(call: LayerCall, chunk: Chunk, sight: Sight) -> Tensor | None:
    """(H, Z, C) float32, or float64; None if nothing is seen but recent tokens."""
    scores = []
    if sight.num_sinks:
        keys = sight.for_each_head(sight.sink_keys)
        of_sinks = _exact(_capped(call, torch.bmm(keys, sight.turned.mT).mul_(call.scaling)))
        if call.alibi_slopes is not None:
            slopes = call.alibi_slopes.view(-1, 1, 1)
            of_sinks.addcmul_(slopes, chunk.sink_distances.mT, value=-1)
        reach = chunk.reach(call.sliding_window)
        if reach is not None:
            of_sinks.masked_fill_(chunk.sink_distances.mT >= reach, -torch.inf)
        scores.append(of_sinks)
    if call.sink_logits is not None:
        # A learned sink is one more term in the denominator: its share goes nowhere.
        scores.append(call.sink_logits.float().view(-1, 1, 1).expand(-1, 1, chunk.num_tokens))
    return _joined(scores, dim=1) if scores else None


def _capped(call: LayerCall, scores: Tensor) -> Tensor:
    if call.softcap is None:
        return scores
    return _exact(scores).div_(call.softcap).tanh_().mul_(call.softcap)


def _exact(scores: Tensor) -> Tensor:
    """float32, or float64."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _bias(call: LayerCall, band: Band) -> Tensor:
    """(1 or H, Q, T) float32, to add to the scores."""
    if call.alibi_slopes is None:
        return band.mask.unsqueeze(0)
    return band.mask - call.alibi_slopes.view(-1, 1, 1) * band.distances


def _joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


# ---- PyTorch's fused attention


def _fused(call: LayerCall, bands: tuple[Band, ...], sight: Sight, beside: Tensor | None) -> Tensor:
    """The sinks join afterwards: a band's answer comes with the logarithm of its denominator,
    which is what all its keys would score if they were one."""
    pairs = [_fused_band(call, band, sight) for band in bands]
    answers = _joined([answers for answers, _ in pairs])
    if beside is None:
        return answers
    together = _joined([together for _, together in pairs], dim=1)
    shares = torch.cat((together.unsqueeze(1), beside), dim=1).softmax(dim=1)
    by_head = answers.transpose(0, 1)
    by_head.mul_(shares[:, :1].mT)
    if sight.num_sinks:
        values = sight.for_each_head(sight.sink_values)
        by_head.baddbmm_(shares[:, 1 : 1 + sight.num_sinks].mT, values)
    return answers


def _fused_band(call: LayerCall, band: Band, sight: Sight) -> tuple[Tensor, Tensor]:
    """Answers (B * Q, H, D), and what their keys score together, (H, B * Q)."""
    num_queries, num_keys = band.mask.shape
    query = sight.query[:, band.queries]
    query = query.view(len(query), -1, num_queries, query.shape[-1])
    keys, values = (
        of_all[:, band.keys].unfold(1, num_keys, num_queries).permute(1, 0, 3, 2)
        for of_all in (sight.keys, sight.values)
    )
    bias = _bias(call, band).to(query.dtype).unsqueeze(0)
    answers, together = _attention(query.transpose(0, 1), keys, values, bias, call.scaling)
    return answers.transpose(1, 2).flatten(0, 1), together.transpose(0, 1).flatten(1)


def _attention(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scaling: float
) -> tuple[Tensor, Tensor]:
    """(B, H, Q, D), (B, KV, T, D) twice and (1, 1 or H, Q, T) -> (B, H, Q, D), (B, H, Q)."""
    attention: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    answers, together = attention(query, keys, values, attn_mask=bias, scale=scaling)
    return answers, together


@cache
@torch.inference_mode()
def fuses_attention() -> bool:
    """Whether PyTorch has that operation and it does what is asked of it here: it is a private one,
    and which versions share keys among heads is written nowhere."""
    keys = torch.linspace(-1, 1, 2 * 3 * 4).view(1, 2, 3, 4)
    query = torch.linspace(1, -1, 4 * 2 * 4).view(1, 4, 2, 4)
    bias = torch.tensor([[0.0, 1.0, -torch.inf], [0.5, 0.0, 2.0]]).view(1, 1, 2, 3)
    try:
        found = _attention(query, keys, keys, bias, 0.5)
    except (AttributeError, RuntimeError, TypeError):
        return False
    keys = keys.repeat_interleave(2, dim=1)
    scores = 0.5 * query @ keys.mT + bias
    expected = scores.softmax(dim=-1) @ keys, scores.logsumexp(dim=-1)
    return all(map(torch.allclose, found, expected))


# ---- matrix products and a softmax


def _plain(call: LayerCall, bands: tuple[Band, ...], sight: Sight, beside: Tensor | None) -> Tensor:
    """Block by block, the sinks' scores beside the band's."""
    answers = []
    for band in bands:
        num_queries, num_keys = band.mask.shape
        bias = _bias(call, band)
        for start in range(0, band.num_blocks * num_queries, num_queries):
            queries = slice(band.first_query + start, band.first_query + start + num_queries)
            keys = slice(band.first_key + start, band.first_key + start + num_keys)
            scores = _scores(call, sight, queries, keys, bias, beside)
            answers.append(_mixed(scores.softmax(dim=-1), sight, keys))
    return _joined(answers)


def _scores(
    call: LayerCall,
    sight: Sight,
    queries: slice,
    keys: slice,
    bias: Tensor,
    beside: Tensor | None,
) -> Tensor:
    """(H, Q, Z + T) float32, or float64."""
    query, seen = sight.query[:, queries], sight.keys[:, keys]
    grouped = query.reshape(len(seen), -1, query.shape[-1])
    products = grouped.new_empty(*grouped.shape[:2], seen.shape[1])
    products.baddbmm_(grouped, seen.mT, beta=0, alpha=call.scaling)
    products = _capped(call, products).view(*query.shape[:2], -1)
    if beside is None:
        return products + bias
    num_beside = beside.shape[1]
    scores = beside.new_empty(*query.shape[:2], num_beside + products.shape[-1])
    scores[..., :num_beside] = beside[..., queries].mT
    torch.add(products, bias, out=scores[..., num_beside:])
    return scores


def _mixed(weights: Tensor, sight: Sight, keys: slice) -> Tensor:
    """(H, Q, Z + T) -> (Q, H, D)."""
    values = sight.values[:, keys]
    grouped = weights.to(values.dtype).view(len(values), -1, weights.shape[-1])
    answers = torch.bmm(grouped[..., -values.shape[1] :], values)
    if sight.num_sinks:
        answers.baddbmm_(grouped[..., : sight.num_sinks], sight.sink_values)
    return answers.view(*weights.shape[:2], -1).transpose(0, 1)
