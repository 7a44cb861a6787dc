"""Rows that always hold the same number of tokens, read by a model's own attention.

They are rows of the engine's store (engine/schedule/window.py says which token is in which slot,
engine/memory/kv_store.py how keys are kept). But once the window is full, the model's own attention
does not turn its queries back for the sinks: the sinks' slots then hold keys that are turned
forward instead, and the stored ones are put away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.memory.rotary import Rotary
from engine.model.model import StreamingModel
from engine.schedule.scheduler import Segment
from engine.schedule.session import Session
from engine.schedule.window import Window

# Tokens of a sequence that go through the engine's attention at once.
CHUNK_TOKENS = 256


class Lockstep:
    """The windows of a batch. Letters: B rows, C new tokens in each, T tokens that they see."""

    def __init__(self, model: StreamingModel, window: Window, num_rows: int) -> None:
        limit = model.position_limit(window)
        self.model = model
        self.window = window
        self.sessions = [Session(row, window, position_limit=limit) for row in range(num_rows)]
        # Made within inference_mode, tensors could not be written outside of it.
        with torch.inference_mode(False):
            self.store = model.new_store(num_rows, window.size)
            self.sinks = [keys[:, :, : window.num_sinks].clone() for keys in self._keys]
        self._are_sinks_away = False
        own_window = getattr(model.hf.config.get_text_config(), "sliding_window", None)
        self._hides_by_distance = own_window is not None and own_window < window.size
        self._slots: slice | None = None
        self._seen: slice | Tensor = slice(0)
        self._angles: dict[Rotary, tuple[Tensor, Tensor]] = {}

    @property
    def num_rows(self) -> int:
        return len(self.sessions)

    @property
    def _keys(self) -> list[Tensor]:
        """(B, KV, slots, D) each, kept as they are computed: the model's attention reads them."""
        return [keys.codes for keys in self.store.keys]

    @property
    def length(self) -> int:
        return self.sessions[0].length

    @property
    def num_bytes(self) -> int:
        return self.store.num_bytes + sum(sinks.nbytes for sinks in self.sinks)

    @property
    def is_begun(self) -> bool:
        return self._slots is not None

    def has_room_for(self, num_tokens: int) -> bool:
        """Whether nothing would slide out."""
        return self.length + num_tokens <= self.window.size

    def feed(self, input_ids: Tensor) -> None:
        """Compute (B, C) tokens by the engine's attention, which the model must have."""
        self._bring_sinks_back()
        for chunk in torch.split(input_ids, CHUNK_TOKENS, dim=1):
            tokens = [tuple(token_ids) for token_ids in chunk.tolist()]
            pairs = zip(self.sessions, tokens, strict=True)
            segments = [Segment(s, s.length, ids, wants_logits=False) for s, ids in pairs]
            self.model.compute(segments, self.store)
            self._advance(chunk.shape[1])

    def begin(self, num_tokens: int) -> Tensor:
        """Make ready to `update` each layer with as many tokens as there is room for, or with one.

        Returns their positions, (C,).
        """
        self._keep_positions_small()
        first = self.length
        slot = self.window.slot(first)
        self._slots = slice(slot, slot + num_tokens)
        self._seen = slice(self.window.fill(first + num_tokens))
        if not self.has_room_for(num_tokens):
            self._put_sinks_away()
            self._angles = self._angles_at(first)
            if self._hides_by_distance:
                self._seen = self._oldest_first(slot)
        position = first - self.sessions[0].base
        return torch.arange(position, position + num_tokens, device=self.model.device)

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, KV, C, D) of the new tokens -> of all that they see, (B, KV, T, D).

        Until the next `update` of this layer: they are views where that is possible.
        """
        keys, values = self._keys[layer], self.store.values[layer].codes
        keys[:, :, self._slots] = key
        values[:, :, self._slots] = value
        rotary = self.model.rotaries[layer]
        if rotary in self._angles:
            turned = rotary.turn(self.sinks[layer], *self._angles[rotary])
            keys[:, :, : self.window.num_sinks] = turned
        if layer == len(self.sinks) - 1:
            self._finish(key.shape[2])
        return keys[:, :, self._seen], values[:, :, self._seen]

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes a copy of what row `rows[i]` was."""
        for tensor in (*self.store.tensors.values(), *self.sinks):
            tensor.copy_(tensor[rows.to(tensor.device)])

    def _finish(self, num_tokens: int) -> None:
        self._slots = None
        self._angles = {}
        self._advance(num_tokens)

    def _advance(self, num_tokens: int) -> None:
        for session in self.sessions:
            session.advance(num_tokens)

    def _keep_positions_small(self) -> None:
        ring = slice(self.window.num_sinks, self.window.size)
        for session in self.sessions:
            moved = session.rebase()
            if moved:
                self.store.turn_keys_back(session.row, ring, moved, self.model.rotaries)

    def _angles_at(self, token: int) -> dict[Rotary, tuple[Tensor, Tensor]]:
        """By which the sinks are turned for `token`: from its own view to the window's end."""
        num_positions = token - self.sessions[0].base - self.window.place(token)
        turn = torch.tensor(num_positions, device=self.model.device)
        return {rotary: rotary.angles(turn) for rotary in set(self.model.rotaries) if rotary.width}

    def _oldest_first(self, newest: int) -> Tensor:
        """The row's slots in the order of their tokens, from which masks tell distances."""
        sinks = range(self.window.num_sinks)
        ring = range(self.window.num_sinks, self.window.size)
        older = [*range(newest + 1, ring.stop), *range(ring.start, newest + 1)]
        return torch.tensor([*sinks, *older], device=self.model.device)

    def _put_sinks_away(self) -> None:
        if not self._are_sinks_away:
            for sinks, keys in zip(self.sinks, self._keys, strict=True):
                sinks.copy_(keys[:, :, : self.window.num_sinks])
        self._are_sinks_away = True

    def _bring_sinks_back(self) -> None:
        if self._are_sinks_away:
            for sinks, keys in zip(self.sinks, self._keys, strict=True):
                keys[:, :, : self.window.num_sinks] = sinks
        self._are_sinks_away = False
