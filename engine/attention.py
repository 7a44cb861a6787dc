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
        turns = torch.cat([block.turns for block in blocks])
        self._turns = turns.to(blocks[0].device) if turns.any() else None
        self._angles: dict[Rotary, tuple[Tensor, Tensor]] = {}

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = self._store.keys[call.layer], self._store.values[call.layer]
        new_keys, new_values = self._store.format.encode(key), self._store.format.encode(value)
        turned = self._turned_back(call.layer, query)
        answers = []
        for block in self._blocks:
            _write(block.writes_before, keys, new_keys)
            _write(block.writes_before, values, new_values)
            pieces = _pieces(block, keys, new_keys)
            scores = _scores(call, block, query, turned, pieces)
            weights = _weigh(call, block, scores)
            answers.append(_mix(weights, _pieces(block, values, new_values), query.dtype))
            _write(block.writes_after, keys, new_keys)
            _write(block.writes_after, values, new_values)
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _turned_back(self, layer: int, query: Tensor) -> Tensor | None:
        """The queries (H, N, D) as they look at the sinks; None if that is how they are."""
        rotary = self._rotaries[layer]
        if self._turns is None or rotary.width == 0:
            return None
        if rotary not in self._angles:
            self._angles[rotary] = rotary.angles(-self._turns)
        return rotary.turn(query, *self._angles[rotary])


def _write(writes: Writes | None, store: Kept, fresh: Kept) -> None:
    if writes is not None:
        store[writes.rows, :, writes.slots] = fresh[:, writes.tokens].transpose(0, 1)


def _queries_of(block: Block, query: Tensor, num_kv_heads: int) -> Tensor:
    """(H, N, D) -> (P, M, D)."""
    num_heads, _, head_dim = query.shape
    shape = (num_kv_heads, num_heads // num_kv_heads, block.num_sessions, block.num_tokens)
    by_session = query[:, block.tokens].view(*shape, head_dim).permute(2, 0, 1, 3, 4)
    return by_session.flatten(2, 3).flatten(0, 1)


def _pieces(block: Block, store: Kept, fresh: Kept) -> list[Kept]:
    """What the queries see, (P, keys, D) each: the rows in place, and new tokens beside them."""
    pieces = []
    if block.num_slots:
        pieces.append(store[block.rows, :, : block.num_slots].flatten(0, 1))
    if block.beside.stop > block.beside.start:
        pieces.append(fresh[:, block.beside])
    return pieces


def _scores(
    call: LayerCall, block: Block, query: Tensor, turned: Tensor | None, pieces: Sequence[Kept]
) -> Tensor:
    """(B, KV, G, C, T) float32, or float64: the pieces' scores side by side."""
    num_kv_heads = len(pieces[0].codes) // block.num_sessions
    queries = _queries_of(block, query, num_kv_heads)
    scores = queries.new_empty(*queries.shape[:2], sum(map(len, pieces)))
    for part, keys in _shares(scores, pieces):
        _score(queries, keys, call.scaling, part)
    if turned is not None and block.num_sink_slots:
        _rescore_sinks(call, block, _queries_of(block, turned, num_kv_heads), pieces[0], scores)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    peaks = [keys.peaks for keys in pieces if keys.peaks is not None]
    if peaks:
        scores.mul_(torch.cat(peaks, dim=-1).unsqueeze(1))
    return scores.view(block.num_sessions, num_kv_heads, -1, block.num_tokens, scores.shape[-1])


def _rescore_sinks(
    call: LayerCall, block: Block, turned: Tensor, held: Kept, scores: Tensor
) -> None:
    """Score the sinks with queries that are turned back to where the window ends."""
    keys = held[:, : block.num_sink_slots]
    before = scores[..., : block.num_sink_slots]
    if block.is_sink is None:
        _score(turned, keys, call.scaling, before)
        return
    again = torch.empty_like(before)
    _score(turned, keys, call.scaling, again)
    num_kv_heads = len(turned) // block.num_sessions
    is_sink = block.is_sink.repeat_interleave(num_kv_heads, dim=0).unsqueeze(1)
    before.copy_(torch.where(is_sink, again, before))


def _shares(whole: Tensor, pieces: Sequence[Kept]) -> Iterator[tuple[Tensor, Kept]]:
    """The part of (..., T) that each piece has."""
    if len(pieces) == 1:
        yield whole, pieces[0]
        return
    yield from zip(torch.split(whole, [*map(len, pieces)], dim=-1), pieces, strict=True)


def _score(queries: Tensor, keys: Kept, scaling: float, scores: Tensor) -> None:
    """Into `scores` (P, M, T), in units of the keys' peaks: each of (P, M, D) with each key."""
    codes = keys.codes.to(queries.dtype).transpose(1, 2)
    scores.baddbmm_(queries, codes, beta=0, alpha=scaling * keys.unit)


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
