"""A row: one piece of speech in a file, with the fields of an entry as Python values.

`text` is always there and not blank; `start` and `end` are seconds. None is absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


class BadFile(Exception):
    """The file cannot be read as speech. The message says why, without the file's name."""


@dataclass(frozen=True)
class LeftOut:
    """A piece of a file that is no entry: where it is and why. `is_fault`: it may have been speech;
    what a program writes of its own around a talk is none."""

    place: str
    why: str
    is_fault: bool = True


def row(text: object, **about: object) -> Row | None:
    """None if there is nothing said. Line breaks are blanks: an entry is one line."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    if not words:
        return None
    return {"text": words} | {n: value for n, value in about.items() if value not in (None, "")}


def in_order(rows: Iterable[Row]) -> Iterator[Row]:
    """Two who speak on channels of their own answer each other, though a file may have all that
    one of them says before the other. Without channels the file's own order stands."""
    read = list(rows)
    if len({one.get("channel") for one in read}) > 1 and all("start" in one for one in read):
        read.sort(key=lambda one: float(one["start"]))
    yield from read


def as_fields(row: Row) -> dict[str, str]:
    """As Redis takes it: numbers and truth values become strings, None is left out."""
    return {name: as_field(value) for name, value in row.items() if value is not None}


def as_field(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
