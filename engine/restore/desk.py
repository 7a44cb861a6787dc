"""The thread on which all streams' passages are restored: no engine step ever waits for it.

Whoever wants words restored leaves a passage and comes back for it. There is room for so many, and
those of one length that wait together are computed together, the oldest first.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from engine.restore.passage import Passage, Reading
from engine.restore.punctuator import Punctuator, batches

log = logging.getLogger(__name__)

MAX_WAITING = 256


class Ticket:
    """One passage that was left at the desk."""

    def __init__(self, passage: Passage, reading: Reading):
        self.passage, self.reading = passage, reading
        self.is_wanted = True
        self.written: tuple[str, ...] | None = None
        """Its words once they are there, for good."""


class Desk:
    def __init__(self, punctuator: Punctuator, max_waiting: int = MAX_WAITING):
        self._punctuator, self._max_waiting = punctuator, max_waiting
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._num_under_way = 0
        self._thread: threading.Thread | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        return self._punctuator.languages

    def leave(self, passage: Passage) -> Ticket | None:
        """None if there is no room: come back later. Never waits."""
        with self._changed:
            if not self._is_open or self._num_here >= self._max_waiting:
                return None
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="restore", daemon=True)
                self._thread.start()
            ticket = Ticket(passage, self._punctuator.read(passage))
            self._waiting.append(ticket)
            self._changed.notify_all()
            return ticket

    @property
    def _num_here(self) -> int:
        return len(self._waiting) + self._num_under_way

    def wait(self, seconds: float) -> None:
        """Until something has been written, if anything is being written; at most `seconds`."""
        with self._changed:
            if self._num_here:
                self._changed.wait(seconds)

    def close(self) -> None:
        """What is under way is finished, what waits is not."""
        with self._changed:
            self._is_open = False
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while tickets := self._take():
            batch = next(batches([ticket.reading.length for ticket in tickets]))
            chosen = [tickets[i] for i in batch]
            written = self._written(chosen)
            with self._changed:
                for ticket, words in zip(chosen, written, strict=True):
                    ticket.written = words
                self._waiting.extendleft(reversed([t for t in tickets if t not in chosen]))
                self._num_under_way = 0
                self._changed.notify_all()

    def _take(self) -> list[Ticket]:
        """All that wait and are still wanted; none when the desk is closed."""
        with self._changed:
            while self._is_open:
                tickets = [ticket for ticket in self._waiting if ticket.is_wanted]
                self._waiting.clear()
                self._num_under_way = len(tickets)
                if tickets:
                    return tickets
                self._changed.wait()
            return []

    def _written(self, tickets: list[Ticket]) -> list[tuple[str, ...]]:
        """Words go on as they came rather than not at all."""
        passages = [ticket.passage for ticket in tickets]
        try:
            return self._punctuator.write(passages, [ticket.reading for ticket in tickets])
        except Exception:
            log.exception("%d texts are published as they came", len(tickets))
            return [passage.words for passage in passages]
