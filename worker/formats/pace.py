"""When the entries of a file are due: at a speaking rate, by their own times, or at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from worker.formats.lines import Fields
from worker.intake.entries import Entry, EntryLimits, parse_entry

_LIMITS = EntryLimits(max_bytes=2**63, max_fields=2**31)


@dataclass(frozen=True)
class Pace:
    """Dues are seconds from the start of publishing.

    words_per_second: the entries' own length decides; speed: their times decide, counted from the
    first time that there is, played that many times as fast. Neither: all at once.
    """

    words_per_second: float | None = None
    speed: float | None = None

    def due(self, entries: Iterable[Fields]) -> Iterator[tuple[float, Fields]]:
        """Each entry with its due time: when it ends. Due times never go back."""
        due, first = 0.0, None
        for fields in entries:
            if self.words_per_second:
                due += len(fields.get("text", "").split()) / self.words_per_second
            elif self.speed:
                start, end = times(fields)
                first = start if first is None else first
                if end is not None and first is not None:
                    due = max(due, (end - first) / self.speed)
            yield due, fields


def times(fields: Mapping[str, str]) -> tuple[float | None, float | None]:
    """When an entry begins and ends, as far as it says: one stands in for the other."""
    raw = {name.encode(): value.encode("utf-8", "replace") for name, value in fields.items()}
    entry = parse_entry("0-1", raw, _LIMITS)
    if not isinstance(entry, Entry):
        return None, None
    start = entry.end if entry.start is None else entry.start
    return start, entry.start if entry.end is None else entry.end
