"""Who sits in which row, and who leaves when another needs it. Integers only."""

from collections.abc import Collection, Iterable

from engine.errors import NoFreeRow
from engine.rows import Rows
from engine.session import Session


class Seating:
    """A session keeps its identity for life; its row is lent.

    `session.seat` is changed here and nowhere else: it is the session's row, or None.
    """

    def __init__(self, num_rows: int) -> None:
        self._rows = Rows(num_rows)
        self._seated: dict[Session, None] = {}

    @property
    def num_free(self) -> int:
        return self._rows.num_free

    @property
    def num_lendable(self) -> int:
        """Rows that are free, or whose session need not stay."""
        return self._rows.num_rows - sum(session.must_stay for session in self._seated)

    def seat(self, session: Session) -> None:
        """NoFreeRow."""
        session.seat = self._rows.take()
        self._seated[session] = None

    def vacate(self, session: Session) -> None:
        self._rows.give_back(session.row)
        session.seat = None
        del self._seated[session]

    def leaver(self, staying: Collection[Session]) -> Session:
        """Who is needed last of those that may leave: the idle one served longest ago; if all have
        work, the one served last, whose next turn is farthest away. NoFreeRow if nobody may."""
        may_leave = [s for s in self._seated if s not in staying and not s.must_stay]
        if not may_leave:
            raise NoFreeRow(f"All {self._rows.num_rows} rows are in use in this step.")
        return min(may_leave, key=_leaving_order)

    def check_integrity(self, sessions: Iterable[Session]) -> None:
        """AssertionError unless every row is free or has one of `sessions`, and that one knows."""
        seated = [session for session in sessions if session.seat is not None]
        self._rows.check_integrity([session.row for session in seated])
        if set(seated) != set(self._seated):
            raise AssertionError("a session has a row that was not lent to it")


def _leaving_order(session: Session) -> tuple[bool, int]:
    has_work = session.num_pending > 0
    return has_work, -session.served_at if has_work else session.served_at
