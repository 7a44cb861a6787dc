"""What was read of one stream and is not settled yet: entries in order, and requests among them.

A request is carried out when all entries that were read before it are settled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from worker.intake.entries import Entry, Rejected, id_order
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.requests import Request
from worker.stream.standing import Reached, notice

MAX_ARRIVED = 256


@dataclass(frozen=True)
class Gap:
    """Entries after `id` that were trimmed away before this worker could read them."""

    id: str
    num_entries: int
    kind: str = "trimmed"

    def republished(self) -> dict[str, str]:
        text = f"{self.num_entries} entries were removed before they were read"
        return notice(self.kind, self.id, text)


Item = Entry | Rejected | Gap


def place_of(request: Request | Rejected) -> str:
    """Its id in `:requests`."""
    return request.entry_id if isinstance(request, Request) else request.id


class Inbox:
    """Cursors are ids up to which the stream, and its requests, have been read.

    num_read: entries up to the cursor, counted from the stream's first, missed ones included.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.read_id = checkpoint.entry_id
        self.num_read = checkpoint.entries_read
        self.request_read_id = checkpoint.request_id
        self.looked_at = float("-inf")  # when all that there was had been read
        self._items: deque[Item] = deque()
        self._settled_ids: list[str] = []  # since the last commit
        self._committed_ids: deque[str] = deque(maxlen=MAX_ARRIVED)
        # (settle up to here first, request)
        self._requests: deque[tuple[str, Request | Rejected]] = deque()

    def arrive(self, entries: Sequence[Entry | Rejected], *, num_missed: int = 0) -> None:
        """num_missed: entries that were trimmed away before these, unread; see `count_missed`."""
        if num_missed:
            self._items.append(Gap(self.read_id, num_missed))
        self._items.extend(entries)
        self.num_read += num_missed + len(entries)
        self.read_id = entries[-1].id

    def arrive_requests(self, requests: Sequence[Request | Rejected]) -> None:
        """One that cannot be read, because it was made by hand, has its turn like the others."""
        self._requests.extend((self.read_id, request) for request in requests)
        self.request_read_id = place_of(requests[-1])

    @property
    def has_room(self) -> bool:
        return len(self._items) < MAX_ARRIVED

    @property
    def is_empty(self) -> bool:
        return not self._items and not self._requests

    @property
    def unpublished(self) -> tuple[str, ...]:
        """The ids of all that was read and is not committed."""
        return (*self._settled_ids, *(item.id for item in self._items))

    def next_item(self, settled_id: str) -> Item | None:
        """The next to settle; None while there is none, or a request goes first."""
        return None if self.request(settled_id) else next(iter(self._items), None)

    def settled(self) -> None:
        self._settled_ids.append(self._items.popleft().id)

    def committed(self) -> None:
        """All that is settled."""
        self._committed_ids.extend(self._settled_ids)
        self._settled_ids.clear()

    @property
    def read_lately(self) -> tuple[str, ...]:
        """The ids of what was read, committed or not; older ones are forgotten."""
        return (*self._committed_ids, *self.unpublished)

    def reached(self, mark: str) -> Reached:
        """Of the input with this mark."""
        return Reached(
            mark,
            self.read_id,
            self.num_read,
            unpublished=self.unpublished,
            read_lately=self.read_lately,
        )

    def request(self, settled_id: str) -> Request | Rejected | None:
        """The request whose turn it is when the stream is settled up to `settled_id`."""
        if not self._requests:
            return None
        settle_first, request = self._requests[0]
        return request if id_order(settled_id) >= id_order(settle_first) else None

    def carried_out(self) -> None:
        self._requests.popleft()

    def turn_back(self, checkpoint: Checkpoint) -> None:
        """Forgets all that is not settled: it will be read again, in the stream's next life."""
        self._items.clear()
        self.read_id, self.num_read = checkpoint.entry_id, checkpoint.entries_read
