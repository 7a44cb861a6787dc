"""Lends rows to sessions: when another needs a row more, its session moves to host memory.

The integers are in schedule/, the parked tensors in parked_copies.py; here they are moved.
Every session that has computed something is in exactly one place: its row, host memory, or a file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from torch import Tensor

from engine.errors import SessionLost
from engine.memory.kv_store import KVStore
from engine.parking.parked_copies import ParkedCopies
from engine.schedule.row_assignment import RowAssignment
from engine.schedule.session import Session
from engine.stats import Tally


class Parking:
    """Moves sessions between rows of the store and their parked copies."""

    def __init__(
        self, assignment: RowAssignment, store: KVStore, copies: ParkedCopies, tally: Tally
    ):
        self._assignment = assignment
        self._store = store
        self._copies = copies
        self._tally = tally

    def bring_in(self, sessions: Collection[Session]) -> None:
        """Every one of `sessions` gets a row, unless it is lost; others leave for it."""
        for session in sessions:
            # Another who leaves may cost one of these its place on a full disk.
            if session.assigned_row is None and not session.is_lost:
                with suppress(SessionLost):  # it is in the next report
                    self._assign_rows(session, staying=sessions)

    def _assign_rows(self, session: Session, staying: Collection[Session]) -> None:
        tensors = self._copies.take(session) if session.length else None
        if self._assignment.num_free == 0:
            self._park(self._assignment.to_evict(staying))
        self._assignment.assign(session)
        if tensors is not None:
            with self._tally.counting("seat"):
                self._store.write_row(session.row, tensors)

    def _park(self, session: Session) -> None:
        if session.length:
            with self._tally.counting("park"):
                tensors = self._store.read_row(session.row, session.num_slots)
            self._copies.put(session, tensors)
        self._assignment.free(session)

    def admit(self, session: Session, tensors: dict[str, Tensor] | None = None) -> None:
        """A session that is new here: it has a row at once if one is free, else when it is its
        turn. `tensors`: its filled slots, if it has computed any."""
        if self._assignment.num_free:
            self._assignment.assign(session)
            if tensors is not None:
                self._store.write_row(session.row, tensors)
        elif tensors is not None and session.length:
            self._copies.put(session, tensors)

    def admit_copy(self, copy: Session, original: Session) -> None:
        """`admit` with what `original` has computed. SessionLost if that cannot be read."""
        if original.assigned_row is not None and self._assignment.num_free:
            self._assignment.assign(copy)
            self._store.copy_row(original.row, copy.row)
        else:
            self.admit(copy, self.tensors_of(original) if original.length else None)

    def tensors_of(self, session: Session) -> dict[str, Tensor]:
        """Its filled slots, (KV, slots, ...) each, wherever they are. SessionLost."""
        if session.assigned_row is not None:
            return self._store.read_row(session.row, session.num_slots)
        if session.length:
            return self._copies.get(session)
        return self._store.read_row(0, num_slots=0)

    def dismiss(self, session: Session) -> None:
        """Forget a session, wherever it is."""
        if session.assigned_row is not None:
            self._assignment.free(session)
        else:
            self._copies.drop(session)

    def check_integrity(self, sessions: Sequence[Session]) -> None:
        """AssertionError unless every session is in exactly one place."""
        self._assignment.check_integrity(sessions)
        absent = [s for s in sessions if s.assigned_row is None and s.length and not s.is_lost]
        self._copies.check_integrity(absent)
