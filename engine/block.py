"""A block: queries that are attended together, and all that the attention must know of them.

Letters: N tokens of the step, B sessions of a block, C tokens of each of them, T keys they see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from engine.session import Session
from engine.window import Window


@dataclass(frozen=True)
class Writes:
    """Tokens of the packed sequence, and the row and slot that each of them goes to."""

    tokens: slice
    rows: Tensor
    slots: Tensor


class Block:
    """C tokens of each of B sessions in adjacent rows, attended together.

    They see the first `num_slots` slots of their rows, once `writes_before` are done, and beside
    them the tokens `beside` of the packed sequence, which enter the ring (`writes_after`) only when
    these queries, who still see what they overwrite, have been answered.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        firsts: Sequence[int],
        offset: int,
        num_tokens: int,
        device: torch.device,
    ) -> None:
        self.sessions = sessions
        self.firsts = firsts
        self.offset = offset
        self.num_tokens = num_tokens
        self.device = device
        self._masks: dict[int | None, Tensor | None] = {}

    @property
    def num_sessions(self) -> int:
        return len(self.sessions)

    @property
    def tokens(self) -> slice:
        """Where in the packed sequence these queries are."""
        return slice(self.offset, self.offset + self.num_sessions * self.num_tokens)

    @property
    def rows(self) -> slice:
        return slice(self.sessions[0].row, self.sessions[-1].row + 1)

    @cached_property
    def beside(self) -> slice:
        """New recent tokens, when there are several: a single one is written before it is read."""
        if self.num_tokens == 1:
            return slice(self.offset, self.offset)
        num_new_sinks = min(self.num_tokens, max(0, self._num_sinks_of_first - self.firsts[0]))
        return slice(self.offset + num_new_sinks, self.offset + self.num_tokens)

    @property
    def _num_sinks_of_first(self) -> int:
        return self.sessions[0].window.num_sinks

    @cached_property
    def writes_before(self) -> Writes | None:
        last = self.beside.start if self.num_tokens > 1 else self.tokens.stop
        return self._writes(range(self.offset, last))

    @cached_property
    def writes_after(self) -> Writes | None:
        """Of more new tokens than the ring has slots, only the last ones stay."""
        num_recent = self.sessions[0].window.num_recent
        return self._writes(range(self.beside.start, self.beside.stop)[-num_recent:])

    def _writes(self, packed: range) -> Writes | None:
        """`packed` is some of one session's tokens, or the single tokens of all sessions."""
        if not packed:
            return None
        rows = torch.arange(self.rows.start, self.rows.stop, device=self.device)
        if self.num_tokens == 1:
            pairs = zip(self.sessions, self.firsts, strict=True)
            slots = [session.window.slot(first) for session, first in pairs]
        else:
            slot, shift = self.sessions[0].window.slot, self.firsts[0] - self.offset
            slots = [slot(place + shift) for place in packed]
        targets = torch.tensor(slots, device=self.device)
        return Writes(slice(packed.start, packed.stop), rows.expand(len(slots)), targets)

    @cached_property
    def _nums_written(self) -> list[int]:
        """For each session, its tokens in the row when these queries read it."""
        num_written = self.beside.start - self.offset if self.num_tokens > 1 else 1
        return [first + num_written for first in self.firsts]

    @cached_property
    def num_slots(self) -> int:
        pairs = zip(self.sessions, self._nums_written, strict=True)
        return max(session.window.num_slots(num_written) for session, num_written in pairs)

    @cached_property
    def num_sink_slots(self) -> int:
        """Slots from 0 on that hold a sink of any of these sessions."""
        return min(self.num_slots, max(session.window.num_sinks for session in self.sessions))

    @cached_property
    def is_sink(self) -> Tensor | None:
        """(B, num_sink_slots) bool, True = a sink; None when it would be True everywhere."""
        counts = [session.window.num_sinks for session in self.sessions]
        if min(counts) >= self.num_sink_slots:
            return None
        slots = torch.arange(self.num_sink_slots, device=self.device)
        return slots < torch.tensor(counts, device=self.device).unsqueeze(1)

    @property
    def turns(self) -> Tensor:
        """(B * C,) int64, on the CPU: how far each query is turned back to look at the sinks."""
        if self.num_sink_slots == 0:
            return torch.zeros(self.num_sessions * self.num_tokens, dtype=torch.int64)
        bases = torch.tensor([session.base for session in self.sessions]).view(-1, 1, 1)
        return (self._queries - bases - self._places).flatten()

    def mask(self, sliding_window: int | None) -> Tensor | None:
        """(B, C, T) float32 to add to the scores: 0 = visible, -inf = not; None = all visible."""
        farthest = max(session.window.size for session in self.sessions)
        is_far = sliding_window is None or sliding_window >= farthest
        limit = None if is_far else sliding_window
        if limit not in self._masks:
            self._masks[limit] = self._mask(limit)
        return self._masks[limit]

    def _mask(self, limit: int | None) -> Tensor | None:
        if limit is None and self._sees_all_slots:
            return None
        visible = self._visible if limit is None else self._visible & (self._distances < limit)
        return None if visible.all() else torch.where(visible, 0.0, -torch.inf).to(self.device)

    @property
    def _sees_all_slots(self) -> bool:
        """Single tokens find nothing in their rows but what they see."""
        pairs = zip(self.sessions, self._nums_written, strict=True)
        fills = (session.window.fill(num_written) for session, num_written in pairs)
        return self.num_tokens == 1 and min(fills) == self.num_slots

    @cached_property
    def distances(self) -> Tensor:
        """(B, C, T) float32: from query to key inside the window; of no meaning where masked."""
        return self._distances.to(self.device, torch.float32)

    # ---- on the CPU, int64, with room for B sessions, C queries and T keys: (B, C, T)

    @cached_property
    def _windows(self) -> Any:
        """A window whose numbers are tensors (B, 1, 1): its arithmetic for all at once."""
        windows = [session.window for session in self.sessions]
        facts = [(w.num_sinks, w.num_recent, w.num_discard) for w in windows]
        numbers: Any = torch.tensor(facts).T.reshape(3, -1, 1, 1)
        return Window(*numbers)

    @cached_property
    def _queries(self) -> Tensor:
        """(B, C, 1): the tokens that look."""
        return torch.tensor(self.firsts).view(-1, 1, 1) + torch.arange(self.num_tokens).unsqueeze(1)

    @cached_property
    def _places(self) -> Tensor:
        """(B, C, 1): where they stand in their windows."""
        places: Tensor = self._windows.place(self._queries)
        return places

    @cached_property
    def _keys(self) -> Tensor:
        """(B, 1, T): the token in each slot, then those beside. In a slot that is still empty, a
        sink to come or, in the ring, a number below S."""
        slots = torch.arange(self.num_slots)
        newest = torch.tensor(self._nums_written).view(-1, 1, 1) - 1
        in_ring = newest - (newest - slots) % self._windows.num_recent
        held = torch.where(slots < self._windows.num_sinks, slots, in_ring)
        num_beside = self.beside.stop - self.beside.start
        return torch.cat((held, self._queries[:, self.num_tokens - num_beside :].mT), dim=2)

    @cached_property
    def _is_sink(self) -> Tensor:
        """(B, 1, T)"""
        num_sinks: Tensor = self._windows.num_sinks
        return torch.arange(self._keys.shape[2]) < num_sinks

    @cached_property
    def _visible(self) -> Tensor:
        oldest: Tensor = self._windows.oldest(self._queries)
        return (self._keys <= self._queries) & (self._is_sink | (oldest <= self._keys))

    @cached_property
    def _distances(self) -> Tensor:
        return torch.where(self._is_sink, self._places, self._queries) - self._keys
