"""Which session has which row, and which gives its row up when another needs it. Integers only."""

from collections.abc import Collection, Iterable

from engine.errors import NoFreeRow
from engine.schedule.rows import Rows
from engine.schedule.session import Session


class RowAssignment:
    """A session keeps its identity for life; its row is lent.

    `session.assigned_row` is changed here and nowhere else: it is the session's row, or None.
    """

    def __init__(self, num_rows: int) -> None:
        self._rows = Rows(num_rows)
        self._holders: dict[Session, None] = {}

    @property
    def num_free(self) -> int:
        return self._rows.num_free

    @property
    def num_lendable(self) -> int:
        """Rows that are free, or whose session need not stay."""
        return self._rows.num_rows - sum(session.must_stay for session in self._holders)

    def assign(self, session: Session) -> None:
        """NoFreeRow."""
        session.assigned_row = self._rows.take()
        self._holders[session] = None

    def free(self, session: Session) -> None:
        self._rows.give_back(session.row)
        session.assigned_row = None
        del self._holders[session]

    def to_evict(self, staying: Collection[Session]) -> Session:
        """Who is needed last of those that may leave: the idle one served longest ago; if all have
        work, the one served last, whose next turn is farthest away. NoFreeRow if nobody may."""
        may_leave = [s for s in self._holders if s not in staying and not s.must_stay]
        if not may_leave:
            raise NoFreeRow(f"All {self._rows.num_rows} rows are in use in this step.")
        return min(may_leave, key=_eviction_order)

    def check_integrity(self, sessions: Iterable[Session]) -> None:
        """AssertionError unless every row is free or has one of `sessions`, and that one knows."""
        seated = [session for session in sessions if session.assigned_row is not None]
        self._rows.check_integrity([session.row for session in seated])
        if set(seated) != set(self._holders):
            raise AssertionError("a session has a row that was not lent to it")


def _eviction_order(session: Session) -> tuple[bool, int]:
    has_work = session.num_pending > 0
    return has_work, -session.served_at if has_work else session.served_at
