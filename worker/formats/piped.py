"""Lines of a pipe as entries, each as soon as it comes.

What comes later cannot be looked at, so the first line decides: JSON objects, or text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from worker.formats import cues
from worker.formats.lines import BadLine, Fields, looks_like_object, read_line
from worker.formats.rows import BadFile, LeftOut

_WHOLE = "it cannot be read line by line: give the file itself, or say --format"
_DOCUMENT = re.compile(r"[\[{]$|\[\s*[\[{]")


def piped(file: BinaryIO) -> tuple[str, Iterator[Fields | LeftOut]]:
    """What it is taken for, once its first line has come, and its entries.

    Raises BadFile if it begins like a file that must be looked at whole.
    """
    lines = enumerate(iter(file.readline, b""), 1)
    kept: list[tuple[int, bytes]] = []
    for number, line in lines:
        kept.append((number, line))
        # A number alone may be that of a caption: what follows it says so.
        if line.strip() and not line.strip().isdigit():
            break
    is_objects = _check_first(kept[-1][1] if kept else b"")
    entries = (
        entry
        for number, line in chain(kept, lines)
        for entry in _read(line, f"line {number}", is_objects)
    )
    return "JSON lines" if is_objects else "lines of text", entries


def _read(line: bytes, place: str, objects_only: bool) -> Iterator[Fields | LeftOut]:
    try:
        yield from read_line(line.decode("utf-8"), objects_only=objects_only)
    except (BadLine, UnicodeDecodeError) as error:
        yield LeftOut(place, str(error) if isinstance(error, BadLine) else "not UTF-8")


def _check_first(line: bytes) -> bool:
    """Whether it is a JSON object, as all others then must be."""
    text = line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if _DOCUMENT.match(text):
        raise BadFile(f"it begins like one JSON document; {_WHOLE}")
    if text.startswith("WEBVTT") or cues.is_timing(text) or cues.is_sbv_timing(text):
        raise BadFile(f"it begins like captions; {_WHOLE}")
    return looks_like_object(text)
