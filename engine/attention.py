"""Exact attention over rows of the KV store, for every block of a step.

Letters: H query heads = KV key-value heads x G, N tokens of the step, B sessions of a block,
C tokens of each, P = B * KV, M = G * C, T keys = slots read in place + new tokens beside them.
"""

from collections.abc import Iterator, Sequence

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
        answers = []
        for block in self._blocks:
            _write(block.writes_before, keys, new_keys)
            _write(block.writes_before, values, new_values)
            queries = _queries_of(block, query, num_kv_heads=key.shape[0])
            scores = self._scores(call, block, queries, _pieces(block, keys, new_keys))
            weights = _weigh(call, block, scores)
            answers.append(_mix(weights, _pieces(block, values, new_values), query.dtype))
            _write(block.writes_after, keys, new_keys)
            _write(block.writes_after, values, new_values)
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _scores(
        self, call: LayerCall, block: Block, queries: Tensor, pieces: Sequence[Kept]
    ) -> Tensor:
        """(B, KV, G, C, T) float32, or float64: the pieces' scores side by side."""
        flat = queries.flatten(2, 3).flatten(0, 1)
        scores = flat.new_empty(*flat.shape[:2], sum(map(len, pieces)))
        for part, keys in _shares(scores, pieces):
            _score(flat, keys, call.scaling, part)
        self._rescore_sinks(call, block, queries, scores)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        for part, keys in _shares(scores, pieces):
            if keys.peaks is not None:
                part.mul_(keys.peaks.unsqueeze(1))
        return scores.view(*queries.shape[:-1], -1)

    def _rescore_sinks(
        self, call: LayerCall, block: Block, queries: Tensor, scores: Tensor
    ) -> None:
        """Score the sinks with queries that are turned back to where the window ends."""
        rotary = self._rotaries[call.layer]
        if block.turns is None or rotary.width == 0:
            return
        turned = rotary.turn(queries, *block.angles(rotary, block.turns))
        sinks = slice(0, block.num_sink_slots)
        keys = self._store.keys[call.layer][block.rows, :, sinks].flatten(0, 1)
        before = scores[..., sinks]
        again = before if block.is_sink is None else torch.empty_like(before)
        _score(turned.flatten(2, 3).flatten(0, 1), keys, call.scaling, again)
        if block.is_sink is not None:
            num_kv_heads = queries.shape[1]
            is_sink = block.is_sink.repeat_interleave(num_kv_heads, dim=0).unsqueeze(1)
            before.copy_(torch.where(is_sink, again, before))


def _write(writes: Writes | None, store: Kept, fresh: Kept) -> None:
    if writes is not None:
        store[writes.rows, :, writes.slots] = fresh[:, writes.tokens].transpose(0, 1)


def _queries_of(block: Block, query: Tensor, num_kv_heads: int) -> Tensor:
    """(H, N, D) -> (B, KV, G, C, D), a view."""
    num_heads, _, head_dim = query.shape
    shape = (num_kv_heads, num_heads // num_kv_heads, block.num_sessions, block.num_tokens)
    return query[:, block.tokens].view(*shape, head_dim).permute(2, 0, 1, 3, 4)


def _pieces(block: Block, store: Kept, fresh: Kept) -> list[Kept]:
    """What the queries see, (P, keys, D) each: the rows in place, and new tokens beside them."""
    pieces = []
    if block.num_slots:
        pieces.append(store[block.rows, :, : block.num_slots].flatten(0, 1))
    if block.beside.stop > block.beside.start:
        pieces.append(fresh[:, block.beside])
    return pieces


def _shares(whole: Tensor, pieces: Sequence[Kept]) -> Iterator[tuple[Tensor, Kept]]:
    """The part of (..., T) that each piece has."""
    if len(pieces) == 1:
        yield whole, pieces[0]
        return
    yield from zip(torch.split(whole, [*map(len, pieces)], dim=-1), pieces, strict=True)


def _score(flat: Tensor, keys: Kept, scaling: float, scores: Tensor) -> None:
    """Into `scores` (P, M, T), in units of the keys' peaks: each of (P, M, D) with each key."""
    codes = keys.codes.to(flat.dtype).transpose(1, 2)
    scores.baddbmm_(flat, codes, beta=0, alpha=scaling * keys.unit)


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
    """The values, weighted, in the order of the packed sequence: (B * C, H, D) in `dtype`."""
    flat = weights.flatten(2, 3).flatten(0, 1)
    answers = flat.new_empty(*flat.shape[:2], pieces[0].codes.shape[-1], dtype=dtype)
    for number, (share, values) in enumerate(_shares(flat, pieces)):
        scaled = share if values.peaks is None else share * values.peaks.unsqueeze(1)
        codes = values.codes.to(dtype)
        answers.baddbmm_(scaled.to(dtype), codes, beta=min(number, 1), alpha=values.unit)
    by_token = answers.view(*weights.shape[:-1], -1).permute(0, 3, 1, 2, 4)
    return by_token.flatten(2, 3).flatten(0, 1)
