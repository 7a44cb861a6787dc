"""Lines as entries: a JSON object gives an entry's fields, any other line is its text.

What a file of lines is, its first line says. In a file of objects every line must be one: of what
stands between them nobody knows that it was said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from worker.formats.messages import unwrapped
from worker.formats.rows import LeftOut, Row, as_fields
from worker.intake.entries import EntryLimits, Rejected, parse_entry
from worker.intake.names import in_our_words

Fields = dict[str, str]

# How many bytes an entry may have is the worker's setting, which this does not know.
_LIMITS = EntryLimits(max_bytes=2**63)
_OBJECT = re.compile(r'\{\s*["}]')


class BadLine(Exception):
    """A line that is no entry, or one that every worker rejects; the message says why."""


def looks_like_object(line: str) -> bool:
    """Whether the line is meant as JSON; a text may begin with a brace too."""
    return _OBJECT.match(line.lstrip()) is not None


def read_line(line: str, *, objects_only: bool = False) -> list[Fields]:
    """The entries of one line: none if it is blank, or a message in which nothing is said.

    Raises BadLine. In an object, numbers and truth values become strings, null is left out.
    """
    line = line.strip().removeprefix("\ufeff")
    if not line:
        return []
    if looks_like_object(line):
        return [checked(as_fields(row)) for row in unwrapped(_object(line))]
    if objects_only:
        raise BadLine("not a JSON object")
    return [{"text": line}]


def line_rows(text: str) -> Iterator[Row | LeftOut]:
    """The rows of a file of objects."""
    for number, line in enumerate(text.split("\n"), 1):
        yield from rows_of_line(line, f"line {number}")


def rows_of_line(line: str, place: str) -> Iterator[Row | LeftOut]:
    """The rows of a line that must be an object."""
    try:
        yield from read_line(line, objects_only=True)
    except BadLine as error:
        yield LeftOut(place, str(error))


def checked(fields: Fields) -> Fields:
    """The fields with their names in our words. Raises BadLine if no worker would take them."""
    try:
        raw = in_our_words({name.encode(): value.encode() for name, value in fields.items()})
    except UnicodeEncodeError:
        raise BadLine("half a character (a lone surrogate)") from None
    entry = parse_entry("0-1", raw, _LIMITS)
    if isinstance(entry, Rejected):
        raise BadLine(entry.reason)
    return {name.decode(): value.decode() for name, value in raw.items()}


def parsed(text: str) -> Any:
    """Any JSON. Raises BadLine."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadLine(f"{error.msg} at line {error.lineno}, character {error.colno}") from None
    except ValueError:
        raise BadLine("a number with too many digits") from None
    except RecursionError:
        raise BadLine("nested too deep") from None


def _object(line: str) -> dict[str, Any]:
    try:
        value = parsed(line)
    except BadLine as error:
        why = str(error).replace("at line 1, character", "at character")
        raise BadLine(f"not a JSON object ({why})" if " at " in why else why) from None
    if not value:
        raise BadLine("a JSON object without fields")
    return dict(value)
