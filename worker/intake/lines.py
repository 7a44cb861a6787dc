"""Lines as entries: a JSON object gives an entry's fields, any other line is its text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.intake.entries import EntryLimits, Rejected, parse_entry
from worker.intake.values import seconds

# How many bytes an entry may have is the worker's setting, which only the worker knows.
_LIMITS = EntryLimits(max_bytes=2**63)


class BadLine(Exception):
    """A line that is no entry, or one that every worker rejects; the message says why."""


@dataclass(frozen=True)
class Pace:
    """When lines are due, in seconds from the first line's start.

    words_per_second: the lines' own length decides; speed: their `end` (or `start`) times decide,
    played that many times as fast. Neither: all at once.
    """

    words_per_second: float | None = None
    speed: float | None = None

    def due(self, entries: Iterable[dict[str, str]]) -> Iterator[tuple[float, dict[str, str]]]:
        """Each entry with its due time; due times never go back."""
        due = 0.0
        for fields in entries:
            if self.words_per_second:
                due += len(fields.get("text", "").split()) / self.words_per_second
            elif self.speed:
                due = max(due, _seconds(fields) / self.speed)
            yield due, fields


def read_line(line: str) -> dict[str, str] | None:
    """The fields of one line; None if it is blank. Raises BadLine.

    In a JSON object, numbers and truth values become strings, null is left out.
    """
    line = line.strip().removeprefix("\ufeff")
    if not line.startswith("{"):
        return {"text": line} if line else None
    fields = _fields(line)
    if not fields:
        raise BadLine("a JSON object without fields")
    try:
        as_bytes = {name.encode(): value.encode() for name, value in fields.items()}
    except UnicodeEncodeError:
        raise BadLine("half a character (a lone surrogate)") from None
    entry = parse_entry("0-1", as_bytes, _LIMITS)
    if isinstance(entry, Rejected):
        raise BadLine(entry.reason)
    return fields


def _fields(line: str) -> dict[str, str]:
    try:
        row = json.loads(line)
        return {name: _as_field(value) for name, value in row.items() if value is not None}
    except json.JSONDecodeError as error:
        raise BadLine(f"not a JSON object ({error.msg} at character {error.pos + 1})") from None
    except ValueError:
        raise BadLine("a number with too many digits") from None
    except RecursionError:
        raise BadLine("nested too deep") from None


def _as_field(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _seconds(fields: dict[str, str]) -> float:
    times = (seconds(fields.get(name, "")) for name in ("end", "start"))
    return next((time for time in times if time is not None), 0.0)
