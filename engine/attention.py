"""Exact attention over rows of the KV store, for every block of a step.

Letters: H query heads = KV key-value heads x G, N tokens of the step, B sessions of a block,
C tokens of each, P = B * KV, M = G * C, T keys = slots read in place + new tokens beside them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.block import Block, Writes
from engine.formats import Kept
from engine.hook import LayerCall
from engine.kv_store import KVStore
from engine.rotary import Rotary


class StepAttention:
    """Attends for one step: writes keys and values to the store and reads them from it."""

    def __init__(self, store: KVStore, blocks: Sequence[Block], rotaries: Sequence[Rotary]) -> None:
        self._store = store
        self._blocks = blocks
        self._rotaries = rotaries

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = self._store.keys[call.layer], self._store.values[call.layer]
        new_keys, new_values = self._store.format.encode(key), self._store.format.encode(value)
        output = query.new_empty(query.shape[1], query.shape[0], value.shape[-1])
        for block in self._blocks:
            _write(block.writes_before, keys, new_keys)
            _write(block.writes_before, values, new_values)
            queries = _queries_of(block, query, num_kv_heads=key.shape[0])
            scores = _scores(queries, _pieces(block, keys, new_keys), call.scaling)
            self._rescore_sinks(call, block, queries, scores)
            weights = _weigh(call, block, scores)
            answers = _mix(weights, _pieces(block, values, new_values), query.dtype)
            output[block.tokens] = _in_packed_order(answers)
            _write(block.writes_after, keys, new_keys)
            _write(block.writes_after, values, new_values)
        return output

    def _rescore_sinks(
        self, call: LayerCall, block: Block, queries: Tensor, scores: Tensor
    ) -> None:
        """Score the sinks with queries that are turned back to where the window ends."""
        rotary = self._rotaries[call.layer]
        if block.turns is None or rotary.width == 0:
            return
        cos, sin = (angle[:, None, None] for angle in block.angles(rotary, block.turns))
        sinks = slice(0, block.num_sink_slots)
        keys = self._store.keys[call.layer][block.rows, :, sinks].flatten(0, 1)
        again = _scores(rotary.turn(queries, cos, sin), [keys], call.scaling)
        if block.is_sink is not None:
            again = torch.where(block.is_sink[:, None, None, None], again, scores[..., sinks])
        scores[..., sinks] = again


def _write(writes: Writes | None, store: Kept, fresh: Kept) -> None:
    if writes is not None:
        store[writes.rows, :, writes.slots] = fresh[:, writes.tokens].transpose(0, 1)


def _queries_of(block: Block, query: Tensor, num_kv_heads: int) -> Tensor:
    """(H, N, D) -> (B, KV, G, C, D), a view."""
    num_heads, _, head_dim = query.shape
    shape = (num_kv_heads, num_heads // num_kv_heads, block.num_sessions, block.num_tokens)
    return query[:, block.tokens].view(*shape, head_dim).permute(2, 0, 1, 3, 4)


def _in_packed_order(answers: Tensor) -> Tensor:
    """(B, KV, G, C, D) -> (B * C, H, D)."""
    return answers.permute(0, 3, 1, 2, 4).flatten(2, 3).flatten(0, 1)


def _pieces(block: Block, store: Kept, fresh: Kept) -> list[Kept]:
    """What the queries see, (P, keys, D) each: the rows in place, and new tokens beside them."""
    rows = store[block.rows, :, : block.num_slots].flatten(0, 1)
    return [piece for piece in (rows, fresh[:, block.beside]) if piece.codes.shape[1]]


def _scores(queries: Tensor, pieces: Sequence[Kept], scaling: float) -> Tensor:
    """(B, KV, G, C, T) float32, or float64: the pieces' scores side by side."""
    flat = queries.flatten(2, 3).flatten(0, 1)
    shares = [keys.codes.shape[1] for keys in pieces]
    scores = flat.new_empty(*flat.shape[:2], sum(shares))
    for part, keys in zip(torch.split(scores, shares, dim=-1), pieces, strict=True):
        codes = keys.codes.to(flat.dtype).transpose(1, 2)
        part.baddbmm_(flat, codes, beta=0, alpha=scaling * keys.unit)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    for part, keys in zip(torch.split(scores, shares, dim=-1), pieces, strict=True):
        if keys.peaks is not None:
            part.mul_(keys.peaks.unsqueeze(1))
    return scores.view(*queries.shape[:-1], -1)


def _weigh(call: LayerCall, block: Block, scores: Tensor) -> Tensor:
    """Softmax over the last of (B, KV, G, C, T); changes `scores`."""
    if call.softcap is not None:
        scores.div_(call.softcap).tanh_().mul_(call.softcap)
    if call.alibi_slopes is not None:
        slopes = call.alibi_slopes.view(1, *scores.shape[1:3], 1, 1)
        scores.addcmul_(slopes, block.distances[:, None, None], value=-1)
    mask = block.mask(call.sliding_window)
    if mask is not None:
        scores += mask[:, None, None]
    weights = torch.softmax(scores, dim=-1)
    if call.sink_logits is None:
        return weights
    # A learned sink is one more term in the denominator: its share goes nowhere.
    total = torch.logsumexp(scores, dim=-1)
    learned = call.sink_logits.float().view(1, *scores.shape[1:3], 1)
    return weights * torch.sigmoid(total - learned).unsqueeze(-1)


def _mix(weights: Tensor, pieces: Sequence[Kept], dtype: torch.dtype) -> Tensor:
    """The values, weighted: (B, KV, G, C, D) in `dtype`."""
    flat = weights.flatten(2, 3).flatten(0, 1)
    answers = flat.new_empty(*flat.shape[:2], pieces[0].codes.shape[-1], dtype=dtype)
    shares = torch.split(flat, [values.codes.shape[1] for values in pieces], dim=-1)
    for number, (share, values) in enumerate(zip(shares, pieces, strict=True)):
        scaled = share if values.peaks is None else share * values.peaks.unsqueeze(1)
        codes = values.codes.to(dtype)
        answers.baddbmm_(scaled.to(dtype), codes, beta=min(number, 1), alpha=values.unit)
    return answers.view(*weights.shape[:-1], -1)
