"""Entries on their way to a stream: each when it is due, and what is said about it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import count

from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from worker.formats.lines import BadLine, Fields
from worker.formats.rows import LeftOut
from worker.formats.sizes import fitted
from worker.keyspace.publisher import Publisher
from worker.keyspace.trouble import is_of_one_stream, is_silence

_RETRY_SECONDS = 1.0
_LONGEST_SLEEP_SECONDS = 3600.0  # a `start` may be any number, a sleep may not
_MAX_AT_ONCE = 64  # entries in one call, of a file that is due
_COUNTS = TextColumn("{task.completed:,.0f} entries, {task.fields[num_words]:,} words")
_OF_A_FILE = (BarColumn(), TimeRemainingColumn())


def progress_of(console: Console, num_entries: int | None) -> Progress:
    """On a terminal it moves; in a pipe or a log it would be noise."""
    columns = (_COUNTS, *(_OF_A_FILE if num_entries else ()), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


class Publishing:
    """One run of `weir publish`. num_entries: how many there will be, if that is known."""

    def __init__(
        self, publisher: Publisher, progress: Progress, max_bytes: int, num_entries: int | None
    ) -> None:
        self._publisher = publisher
        self._progress = progress
        self._max_bytes = max_bytes
        self._task = progress.add_task("", total=num_entries, num_words=0)
        self._num_words = 0
        self.num_bad = 0

    def say(self, what: str) -> None:
        self._progress.console.print(Text(f"weir publish: {what}"), soft_wrap=True)

    def fit(self, entries: Iterable[Fields | LeftOut]) -> Iterator[Fields]:
        """The entries, each small enough; what is none is said and passed over."""
        numbers = count(1)
        for fields in entries:
            if isinstance(fields, LeftOut):
                self._leave_out(fields)
            else:
                yield from self._fitted(fields, f"entry {next(numbers)}")

    def publish(self, paced: Iterable[tuple[float, Fields]], *, at_once: bool = False) -> None:
        """Each entry when it is due, in seconds from now; at_once: with those due at that time."""
        started = time.monotonic()
        for due, batch in _batches(paced, _MAX_AT_ONCE if at_once else 1):
            while (early := started + due - time.monotonic()) > 0:
                time.sleep(min(early, _LONGEST_SLEEP_SECONDS))
            while not self._is_published(batch):
                time.sleep(_RETRY_SECONDS)
            self._num_words += sum(len(fields.get("text", "").split()) for fields in batch)
            self._progress.update(self._task, advance=len(batch), num_words=self._num_words)

    def _is_published(self, batch: list[Fields]) -> bool:
        try:
            self._publisher.publish(batch)
        except RedisError as error:
            if not is_silence(error) and not is_of_one_stream(error):
                raise
            self.say("Redis is away; trying again until it is back")
            return False
        return True

    def _fitted(self, fields: Fields, place: str) -> list[Fields]:
        try:
            parts = fitted(fields, self._max_bytes)
        except BadLine as error:
            self._leave_out(LeftOut(place, str(error)))
            return []
        if len(parts) > 1:
            self.say(
                f"{place} is larger than WEIR_MAX_ENTRY_BYTES: it goes as {len(parts)} entries"
            )
        return parts

    def _leave_out(self, bad: LeftOut) -> None:
        self.num_bad += bad.is_fault
        self.say(f"{bad.place} is left out: {bad.why}")


def _batches(
    paced: Iterable[tuple[float, Fields]], max_entries: int
) -> Iterator[tuple[float, list[Fields]]]:
    """Neighbours that are due at the same time."""
    batch: list[Fields] = []
    at = 0.0
    for due, fields in paced:
        if batch and (due != at or len(batch) == max_entries):
            yield at, batch
            batch = []
        at = due
        batch.append(fields)
        if max_entries == 1:  # of what comes bit by bit, none waits for the next
            yield at, batch
            batch = []
    if batch:
        yield at, batch
