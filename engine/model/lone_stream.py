"""One session without an engine: every token's logits, for checks and for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from engine.memory.kv_store import KVStore
from engine.schedule.scheduler import Segment
from engine.schedule.session import Session
from engine.schedule.window import Window


class Computes(Protocol):
    """The part of a StreamingModel that one stream needs; the model itself is checked with one."""

    def position_limit(self, window: Window) -> int: ...

    def new_store(self, num_rows: int, num_slots: int) -> KVStore: ...

    def compute(
        self, segments: Sequence[Segment], store: KVStore, *, all_logits: bool = False
    ) -> Tensor: ...


class LoneStream:
    """A store of one row and the session that owns it."""

    def __init__(self, model: Computes, window: Window) -> None:
        self.model = model
        self.session = Session(0, window, position_limit=model.position_limit(window))
        self.store = model.new_store(1, window.size)

    def feed(self, token_ids: Sequence[int]) -> Tensor:
        """Compute `token_ids` as one chunk: (C, vocab) float32."""
        segment = Segment(self.session, self.session.length, tuple(token_ids), wants_logits=False)
        logits = self.model.compute([segment], self.store, all_logits=True)
        self.session.feed(token_ids)
        self.session.advance(len(token_ids))
        return logits.float()

    @property
    def kv_bytes(self) -> int:
        """Keys and values of the row, however long the stream: reserved at the start."""
        return self.store.num_bytes
