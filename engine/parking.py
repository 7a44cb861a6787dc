"""Lends rows to sessions: who has one brings it back to host memory when another needs it more.

The integers are in seating.py, the parked tensors in parked.py; here they are moved. Every session
that has computed something is in exactly one place: its row, host memory, or a file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from torch import Tensor

from engine.errors import SessionLost
from engine.kv_store import KVStore
from engine.parked import ParkedCopies
from engine.seating import Seating
from engine.session import Session
from engine.stats import Tally


class Parking:
    """Moves sessions between rows of the store and their parked copies."""

    def __init__(self, seating: Seating, store: KVStore, copies: ParkedCopies, tally: Tally):
        self._seating = seating
        self._store = store
        self._copies = copies
        self._tally = tally

    def bring_in(self, sessions: Collection[Session]) -> None:
        """Every one of `sessions` gets a row, unless it is lost; others leave for it."""
        for session in sessions:
            # Another who leaves may cost one of these its place on a full disk.
            if session.seat is None and not session.is_lost:
                with suppress(SessionLost):  # it is in the next report
                    self._seat(session, staying=sessions)

    def _seat(self, session: Session, staying: Collection[Session]) -> None:
        tensors = self._copies.take(session) if session.length else None
        if self._seating.num_free == 0:
            self._park(self._seating.leaver(staying))
        self._seating.seat(session)
        if tensors is not None:
            with self._tally.counting("seat"):
                self._store.write_row(session.row, tensors)

    def _park(self, session: Session) -> None:
        if session.length:
            with self._tally.counting("park"):
                tensors = self._store.read_row(session.row, session.num_slots)
            self._copies.put(session, tensors)
        self._seating.vacate(session)

    def admit(self, session: Session, tensors: dict[str, Tensor] | None = None) -> None:
        """A session that is new here: it has a row at once if one is free, else when it is its
        turn. `tensors`: its filled slots, if it has computed any."""
        if self._seating.num_free:
            self._seating.seat(session)
            if tensors is not None:
                self._store.write_row(session.row, tensors)
        elif tensors is not None and session.length:
            self._copies.put(session, tensors)

    def admit_copy(self, copy: Session, original: Session) -> None:
        """`admit` with what `original` has computed. SessionLost if that cannot be read."""
        if original.seat is not None and self._seating.num_free:
            self._seating.seat(copy)
            self._store.copy_row(original.row, copy.row)
        else:
            self.admit(copy, self.tensors_of(original) if original.length else None)

    def tensors_of(self, session: Session) -> dict[str, Tensor]:
        """Its filled slots, (KV, slots, ...) each, wherever they are. SessionLost."""
        if session.seat is not None:
            return self._store.read_row(session.row, session.num_slots)
        if session.length:
            return self._copies.get(session)
        return self._store.read_row(0, num_slots=0)

    def dismiss(self, session: Session) -> None:
        """Forget a session, wherever it is."""
        if session.seat is not None:
            self._seating.vacate(session)
        else:
            self._copies.drop(session)

    def check_integrity(self, sessions: Sequence[Session]) -> None:
        """AssertionError unless every session is in exactly one place."""
        self._seating.check_integrity(sessions)
        absent = [s for s in sessions if s.seat is None and s.length and not s.is_lost]
        self._copies.check_integrity(absent)
