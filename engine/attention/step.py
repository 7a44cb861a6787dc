"""Exact attention over rows of the KV store, for all that is in a step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.attention.chunk import Chunk
from engine.attention.chunk_attention import Sight, attend_chunk, dtype_for
from engine.attention.hook import LayerCall
from engine.attention.singles import Singles
from engine.attention.singles_attention import attend_singles
from engine.memory.formats import Kept
from engine.memory.kv_store import KVStore
from engine.memory.rotary import Rotary


class StepAttention:
    """Attends for one step: writes keys and values to the store and reads them from it. What comes
    behind the tokens of its parts only fills up: it sees nothing, and nobody sees it.

    Letters: H query heads, KV key-value heads, N tokens of the step.
    """

    def __init__(
        self, store: KVStore, parts: Sequence[Singles | Chunk], rotaries: Sequence[Rotary]
    ) -> None:
        self._store = store
        self._parts = parts
        self._rotaries = rotaries
        self._num_tokens = parts[-1].tokens.stop
        turns = torch.cat([part.turns for part in parts])
        self._turns = turns.to(parts[0].device) if turns.any() else None
        self._angles: dict[Rotary, tuple[Tensor, Tensor]] = {}

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        num_tokens, num_fillers = self._num_tokens, query.shape[1] - self._num_tokens
        query, key, value = (heads[:, :num_tokens] for heads in (query, key, value))
        kept = self._store.format
        new = kept.encode(key), kept.encode(value)
        turned = self._turned_back(call.layer, query)
        answers = [
            self._attend_singles(call, part, query, turned, *new)
            if isinstance(part, Singles)
            else self._attend_chunk(call, part, query, turned, *new)
            for part in self._parts
        ]
        if num_fillers:
            answers.append(answers[0].new_zeros(num_fillers, *answers[0].shape[1:]))
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _turned_back(self, layer: int, query: Tensor) -> Tensor | None:
        """The queries (H, N, D) as they look at the sinks; None if that is how they are."""
        rotary = self._rotaries[layer]
        if self._turns is None or rotary.width == 0:
            return None
        if rotary not in self._angles:
            self._angles[rotary] = rotary.angles(-self._turns)
        return rotary.turn(query, *self._angles[rotary])

    def _attend_singles(
        self,
        call: LayerCall,
        singles: Singles,
        query: Tensor,
        turned: Tensor | None,
        new_keys: Kept,
        new_values: Kept,
    ) -> Tensor:
        keys, values = self._store.keys[call.layer], self._store.values[call.layer]
        tokens = singles.tokens
        for held, new in ((keys, new_keys), (values, new_values)):
            rows, slots = singles.targets
            held[rows, :, slots] = new[:, tokens].transpose(0, 1)
        looking_back = None if turned is None else turned[:, tokens]
        return attend_singles(call, singles, query[:, tokens], looking_back, keys, values)

    def _attend_chunk(
        self,
        call: LayerCall,
        chunk: Chunk,
        query: Tensor,
        turned: Tensor | None,
        new_keys: Kept,
        new_values: Kept,
    ) -> Tensor:
        """The chunk enters the row when it is answered: it still sees what it overwrites."""
        row = chunk.session.row
        keys, values = self._store.keys[call.layer][row], self._store.values[call.layer][row]
        reach, dtype = chunk.reach(call.sliding_window), dtype_for(call, chunk, query, values)
        sinks = slice(chunk.num_sinks_seen(reach))
        sight = Sight(
            query[:, chunk.tokens].to(dtype),
            (query if turned is None else turned)[:, chunk.tokens].to(dtype),
            *(
                _in_order(held, chunk.held(reach), new[:, chunk.tokens], dtype)
                for held, new in ((keys, new_keys), (values, new_values))
            ),
            *(held[:, sinks].decoded(dtype) for held in (keys, values)),
        )
        answer = attend_chunk(call, chunk, sight).to(query.dtype)
        for slots, tokens in chunk.writes:
            keys[:, slots] = new_keys[:, tokens]
            values[:, slots] = new_values[:, tokens]
        return answer


def _in_order(held: Kept, slots: Sequence[slice], new: Kept, dtype: torch.dtype) -> Tensor:
    """What is in these slots of a row and, after it, what is new: (KV, tokens, D)."""
    pieces = [*(held[:, some] for some in slots), new]
    decoded = [piece.decoded(dtype) for piece in pieces]
    return decoded[0] if len(decoded) == 1 else torch.cat(decoded, dim=1)
