"""What a step did, and what memory holds: the numbers that metrics show."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from engine.schedule.session import Session

# From a row to host memory, from there to disk, from disk to host memory, from there to a row.
Move = Literal["park", "store", "fetch", "seat"]
MOVES: tuple[Move, ...] = ("park", "store", "fetch", "seat")
LossKind = Literal["not_stored", "not_fetched"]


@dataclass(frozen=True)
class Moves:
    """Moves of one kind: how many sessions, and how long that took."""

    num_sessions: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Loss:
    """A parked session that could not be kept (a full disk), or not be read again (a torn file)."""

    session: Session
    kind: LossKind
    why: str


class Tally:
    """Moves and losses since the last `take`."""

    def __init__(self) -> None:
        self._moves: dict[Move, Moves] = {}
        self._losses: list[Loss] = []

    @contextmanager
    def counting(self, move: Move) -> Iterator[None]:
        """One session is moved within this block, unless it raises."""
        started = time.perf_counter()
        yield
        before = self._moves.get(move, Moves())
        seconds = before.seconds + time.perf_counter() - started
        self._moves[move] = Moves(before.num_sessions + 1, seconds)

    def lose(self, session: Session, kind: LossKind, why: str) -> None:
        session.lose()
        self._losses.append(Loss(session, kind, why))

    def take(self) -> tuple[dict[Move, Moves], tuple[Loss, ...]]:
        moves, losses = self._moves, tuple(self._losses)
        self._moves, self._losses = {}, []
        return moves, losses


@dataclass(frozen=True)
class StepReport:
    """One step: tokens computed, sessions that took part, tokens sampled, tokens that slid out.

    `moves` and `losses` are those since the last step, whatever made them. A lost session does
    nothing more: close it.
    """

    num_tokens: int = 0
    num_sessions: int = 0
    num_generated: int = 0
    seconds: float = 0.0
    finished: tuple[Session, ...] = ()
    num_slid_out: int = 0
    moves: Mapping[Move, Moves] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class MemoryReport:
    """Exact bytes of the KV store, which is allocated once and never grows; and what parked
    sessions take beside it. One that has computed nothing yet needs no place."""

    bytes_per_row: int
    kv_bytes_total: int
    rows_in_use: int
    rows_free: int
    parked_in_host: int = 0
    parked_on_disk: int = 0
    host_bytes: int = 0
    disk_bytes: int = 0
