"""The attention of single tokens over their rows, in place.

Letters: N sessions, H query heads = KV key-value heads x G, P = N * KV, T slots they see.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.attention.hook import LayerCall
from engine.attention.singles import Singles
from engine.memory.formats import Kept


def attend_singles(
    call: LayerCall,
    singles: Singles,
    query: Tensor,
    turned: Tensor | None,
    keys: Kept,
    values: Kept,
) -> Tensor:
    """query, turned (H, N, D): at recent tokens, and at sinks if that differs; keys, values: the
    store's -> (N, H, D)."""
    seen = singles.rows, slice(None), slice(singles.num_slots)
    held, values = keys[seen].flatten(0, 1), values[seen].flatten(0, 1)
    num_kv_heads = len(held.codes) // singles.num_sessions
    scores = _scores(call, _grouped(query, num_kv_heads), held)
    if turned is not None and singles.num_sink_slots:
        _rescore_sinks(call, singles, _grouped(turned, num_kv_heads), held, scores)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if held.peaks is not None:
        scores.mul_(held.peaks.unsqueeze(1))
    weights = _weigh(call, singles, scores.view(singles.num_sessions, -1, scores.shape[-1]))
    return _mix(weights.view(scores.shape), values, query)


def _grouped(query: Tensor, num_kv_heads: int) -> Tensor:
    """(H, N, D) -> (P, G, D)."""
    by_token = query.transpose(0, 1)
    return by_token.reshape(len(by_token) * num_kv_heads, -1, query.shape[-1])


def _scores(call: LayerCall, queries: Tensor, keys: Kept) -> Tensor:
    """(P, G, T), in units of the keys' peaks."""
    scores = queries.new_empty(*queries.shape[:2], len(keys))
    _score(call, queries, keys, scores)
    return scores


def _score(call: LayerCall, queries: Tensor, keys: Kept, scores: Tensor) -> None:
    codes = keys.codes.to(queries.dtype).mT
    scores.baddbmm_(queries, codes, beta=0, alpha=call.scaling * keys.unit)


def _rescore_sinks(
    call: LayerCall, singles: Singles, turned: Tensor, held: Kept, scores: Tensor
) -> None:
    """Score the sinks with queries that are turned back to where the window ends."""
    keys = held[:, : singles.num_sink_slots]
    before = scores[..., : singles.num_sink_slots]
    if singles.is_sink is None:
        _score(call, turned, keys, before)
        return
    again = _scores(call, turned, keys)
    num_kv_heads = len(turned) // singles.num_sessions
    is_sink = singles.is_sink.repeat_interleave(num_kv_heads, dim=0).unsqueeze(1)
    before.copy_(torch.where(is_sink, again, before))


def _weigh(call: LayerCall, singles: Singles, scores: Tensor) -> Tensor:
    """Softmax over the last of (N, H, T); changes `scores`."""
    if call.softcap is not None:
        scores.div_(call.softcap).tanh_().mul_(call.softcap)
    if call.alibi_slopes is not None:
        scores.addcmul_(call.alibi_slopes.view(1, -1, 1), singles.distances[:, None], value=-1)
    mask = singles.mask(call.sliding_window)
    if mask is not None:
        scores += mask[:, None]
    weights = torch.softmax(scores, dim=-1)
    if call.sink_logits is None:
        return weights
    # A learned sink is one more term in the denominator: its share goes nowhere.
    total = torch.logsumexp(scores, dim=-1)
    learned = call.sink_logits.float().view(1, -1)
    return weights * torch.sigmoid(total - learned).unsqueeze(-1)


def _mix(weights: Tensor, values: Kept, query: Tensor) -> Tensor:
    """The values (P, T, D), weighted by (P, G, T): (N, H, D) in the query's dtype."""
    if values.peaks is not None:
        weights = weights * values.peaks.unsqueeze(1)
    answers = query.new_empty(*weights.shape[:2], values.codes.shape[-1])
    codes = values.codes.to(query.dtype)
    answers.baddbmm_(weights.to(query.dtype), codes, beta=0, alpha=values.unit)
    return answers.view(query.shape[1], query.shape[0], -1)
