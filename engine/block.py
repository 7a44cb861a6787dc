"""A block: queries that are attended together, and all that the attention must know of them.

Letters: N tokens of the step, B sessions of a block, C tokens of each of them, T keys they see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from engine.rotary import Rotary
from engine.session import Session

NO_LIMIT = 2**62


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
        self._masks: dict[int, Tensor | None] = {}
        self._angles: dict[Rotary, tuple[Tensor, Tensor]] = {}

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
        if not packed:
            return None
        targets = []
        for place in packed:
            which, step = divmod(place - self.offset, self.num_tokens)
            session = self.sessions[which]
            targets.append((session.row, session.window.slot(self.firsts[which] + step)))
        rows, slots = torch.tensor(targets, device=self.device).unbind(1)
        return Writes(slice(packed.start, packed.stop), rows, slots)

    @cached_property
    def _nums_written(self) -> list[int]:
        """For each session, its tokens in the row when these queries read it."""
        num_written = self.beside.start - self.offset if self.num_tokens > 1 else 1
        return [first + num_written for first in self.firsts]

    @cached_property
    def _fills(self) -> list[int]:
        pairs = zip(self.sessions, self._nums_written, strict=True)
        return [session.window.fill(num_written) for session, num_written in pairs]

    @cached_property
    def num_slots(self) -> int:
        return max(self._fills)

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

    @cached_property
    def turns(self) -> Tensor | None:
        """(B, C): how far each query is turned back to look at the sinks; None = nobody is."""
        if self.num_sink_slots == 0:
            return None
        amounts = [
            [t - session.base - session.window.sink_reader(t) for t in self._numbers(first)]
            for session, first in zip(self.sessions, self.firsts, strict=True)
        ]
        return torch.tensor(amounts, device=self.device) if any(map(any, amounts)) else None

    def angles(self, rotary: Rotary, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines for turning queries back by `turns`: (B, C, width / 2) each."""
        if rotary not in self._angles:
            self._angles[rotary] = rotary.angles(-turns)
        return self._angles[rotary]

    def mask(self, sliding_window: int | None) -> Tensor | None:
        """(B, C, T) float32 to add to the scores: 0 = visible, -inf = not; None = all visible."""
        limit = NO_LIMIT if sliding_window is None else sliding_window
        if limit >= self._farthest:
            limit = NO_LIMIT
        if limit not in self._masks:
            self._masks[limit] = self._mask(limit)
        return self._masks[limit]

    @property
    def _farthest(self) -> int:
        """No distance inside a window reaches its size."""
        return max(session.window.size for session in self.sessions)

    def _numbers(self, first: int) -> range:
        return range(first, first + self.num_tokens)

    def _mask(self, limit: int) -> Tensor | None:
        is_newest_token = self.num_tokens == 1 and min(self._fills) == self.num_slots
        if is_newest_token and limit == NO_LIMIT:
            return None
        visible = torch.stack([self._visible(which, limit) for which in range(self.num_sessions)])
        if bool(visible.all()):
            return None
        return torch.where(visible, 0.0, -torch.inf).to(self.device)

    def _visible(self, which: int, limit: int) -> Tensor:
        """(C, T) bool: the distance inside the window is neither negative nor too long."""
        window, distance = self.sessions[which].window, self._distance(which)
        is_sink = self._keys[which] < window.num_sinks
        farthest = torch.where(is_sink, limit, min(limit, window.num_recent))
        return (distance >= 0) & (distance < farthest)

    @cached_property
    def distances(self) -> Tensor:
        """(B, C, T) float32: from query to key inside the window; of no meaning where masked."""
        distances = [self._distance(which) for which in range(self.num_sessions)]
        return torch.stack(distances).to(self.device, torch.float32)

    def _distance(self, which: int) -> Tensor:
        """(C, T) int64: negative where the key is not there yet."""
        window, keys = self.sessions[which].window, self._keys[which]
        queries = torch.tensor(self._numbers(self.firsts[which])).unsqueeze(1)
        sink_readers = queries.clamp(max=window.size - 1)
        return torch.where(keys < window.num_sinks, sink_readers, queries) - keys

    @cached_property
    def _keys(self) -> list[Tensor]:
        """(T,) int64 for each session: the tokens that its queries could see."""
        return [self._keys_of(which) for which in range(self.num_sessions)]

    def _keys_of(self, which: int) -> Tensor:
        """The token in each slot, one to come where there is none, then those beside."""
        window, first = self.sessions[which].window, self.firsts[which]
        held = window.slot_tokens(self._nums_written[which])
        num_beside = self.beside.stop - self.beside.start
        beside = range(first + self.num_tokens - num_beside, first + self.num_tokens)
        absent = [first + self.num_tokens] * (self.num_slots - len(held))
        return torch.tensor([*held, *absent, *beside])
