"""Single tokens of sessions in adjacent rows, attended together where their rows lie.

Letters: N sessions, with one token each, T slots of a row that are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from engine.schedule.session import Session
from engine.schedule.window import Window

# By so many more a row that fills up is read at a time: oneDNN, which multiplies half precision,
# keeps what it has compiled for each number of slots.
SLOTS_AT_ONCE = 64


class Singles:
    """Each of N sessions adds one token, written to its row before any is read."""

    def __init__(
        self, sessions: Sequence[Session], firsts: Sequence[int], offset: int, device: torch.device
    ) -> None:
        self.sessions = sessions
        self.firsts = firsts  # the tokens
        self.tokens = slice(offset, offset + len(sessions))  # of the packed sequence
        self.device = device
        self._masks: dict[int | None, Tensor | None] = {}

    @property
    def num_sessions(self) -> int:
        return len(self.sessions)

    @property
    def rows(self) -> slice:
        return slice(self.sessions[0].row, self.sessions[-1].row + 1)

    @cached_property
    def targets(self) -> tuple[int, int] | tuple[Tensor, Tensor]:
        """The row and the slot that each token goes to: (N,) each, or the numbers of a lone one,
        for which there is a quicker way."""
        pairs = zip(self.sessions, self.firsts, strict=True)
        slots = [session.window.slot(token) for session, token in pairs]
        if len(slots) == 1:
            return self.rows.start, slots[0]
        rows = torch.arange(self.rows.start, self.rows.stop, device=self.device)
        return rows, torch.tensor(slots, device=self.device)

    @cached_property
    def num_slots(self) -> int:
        """Slots that are read: all that hold something, and few numbers of them."""
        pairs = zip(self.sessions, self.firsts, strict=True)
        num_filled = max(session.window.num_slots(token + 1) for session, token in pairs)
        most = max(session.window.size for session in self.sessions)
        return min(most, -(-num_filled // SLOTS_AT_ONCE) * SLOTS_AT_ONCE)

    @cached_property
    def num_sink_slots(self) -> int:
        """Slots from 0 on that hold a sink of any of these sessions."""
        return min(self.num_slots, max(session.window.num_sinks for session in self.sessions))

    @cached_property
    def is_sink(self) -> Tensor | None:
        """(N, num_sink_slots) bool, True = a sink; None when it would be True everywhere."""
        counts = [session.window.num_sinks for session in self.sessions]
        if min(counts) >= self.num_sink_slots:
            return None
        slots = torch.arange(self.num_sink_slots, device=self.device)
        return slots < torch.tensor(counts, device=self.device).unsqueeze(1)

    @property
    def turns(self) -> Tensor:
        """(N,) int64, on the CPU: how far each query is turned back to look at the sinks."""
        pairs = zip(self.sessions, self.firsts, strict=True)
        return torch.tensor([token - s.base - s.window.place(token) for s, token in pairs])

    def mask(self, sliding_window: int | None) -> Tensor | None:
        """(N, T) float32 to add to the scores: 0 = visible, -inf = not; None = all visible."""
        farthest = max(session.window.size for session in self.sessions)
        is_far = sliding_window is None or sliding_window >= farthest
        limit = None if is_far else sliding_window
        if limit not in self._masks:
            self._masks[limit] = self._mask(limit)
        return self._masks[limit]

    def _mask(self, limit: int | None) -> Tensor | None:
        if limit is None and self._see_all_slots:
            return None
        visible = self._visible if limit is None else self._visible & (self._distances < limit)
        return None if visible.all() else torch.where(visible, 0.0, -torch.inf).to(self.device)

    @property
    def _see_all_slots(self) -> bool:
        """Whether there is nothing in their rows but what they see."""
        pairs = zip(self.sessions, self.firsts, strict=True)
        return self.num_slots == min(session.window.fill(token + 1) for session, token in pairs)

    @cached_property
    def distances(self) -> Tensor:
        """(N, T) float32: from query to key inside the window; of no meaning where masked."""
        return self._distances.to(self.device, torch.float32)

    # ---- on the CPU, int64: (N, 1) for queries, (N, T) for what they see

    @cached_property
    def _windows(self) -> Any:
        """A window whose numbers are tensors (N, 1): its arithmetic for all at once."""
        windows = [session.window for session in self.sessions]
        facts = [(w.num_sinks, w.num_recent, w.num_discard) for w in windows]
        numbers: Any = torch.tensor(facts).T.unsqueeze(-1)
        return Window(*numbers)

    @cached_property
    def _queries(self) -> Tensor:
        return torch.tensor(self.firsts).unsqueeze(1)

    @cached_property
    def _keys(self) -> Tensor:
        """The token in each slot. In one that is still empty, a sink to come or, in the ring, a
        number below S."""
        slots = torch.arange(self.num_slots)
        in_ring = self._queries - (self._queries - slots) % self._windows.num_recent
        return torch.where(slots < self._windows.num_sinks, slots, in_ring)

    @cached_property
    def _is_sink(self) -> Tensor:
        is_sink: Tensor = torch.arange(self.num_slots) < self._windows.num_sinks
        return is_sink

    @cached_property
    def _visible(self) -> Tensor:
        oldest: Tensor = self._windows.oldest(self._queries)
        return (self._keys <= self._queries) & (self._is_sink | (oldest <= self._keys))

    @cached_property
    def _distances(self) -> Tensor:
        places: Tensor = self._windows.place(self._queries)
        return torch.where(self._is_sink, places, self._queries) - self._keys
