"""Which rows of the KV store are free. Integers only."""

import heapq

from engine.errors import NoFreeRow


class Rows:
    """Rows are given lowest first, so that those in use stay next to each other."""

    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows
        self._free = list(range(num_rows))

    @property
    def num_free(self) -> int:
        return len(self._free)

    def take(self) -> int:
        if not self._free:
            raise NoFreeRow(
                f"All {self.num_rows} rows are in use: close a session, or set num_rows higher."
            )
        return heapq.heappop(self._free)

    def give_back(self, row: int) -> None:
        heapq.heappush(self._free, row)

    def check_integrity(self, rows_in_use: list[int]) -> None:
        """Every row is free or belongs to one session, never both, never neither."""
        every_row = sorted([*self._free, *rows_in_use])
        if every_row != list(range(self.num_rows)):
            raise AssertionError(f"rows in use {rows_in_use} and free {self._free} do not add up")
