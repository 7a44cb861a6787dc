"""Talks with people's summaries of them, from a file of JSON lines.

Each line is an object: `name`; `entries`, objects with the fields of a stream's entries (`text`,
`speaker`, `segment`, `final`, ...: docs/publishing.md); `summaries`, texts that people wrote.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.settings.options import UsageError


@dataclass(frozen=True)
class Talk:
    name: str
    entries: tuple[dict[str, str], ...]
    summaries: tuple[str, ...]


def read_talks(path: Path) -> Iterator[Talk]:
    """The file is UTF-8, packed with gzip if its name ends in .gz. Raises UsageError."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield _talk(line, f"--data={path}: line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"--data={path} needs to be a file in UTF-8 ({error})") from None


def _talk(line: str, place: str) -> Talk:
    try:
        found = json.loads(line)
        entries = tuple(_fields(entry) for entry in found["entries"])
        summaries = tuple(text for text in found["summaries"] if text.strip())
        if not entries or not summaries:
            raise ValueError("there are none")
        return Talk(str(found.get("name", place)), entries, summaries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{place} needs to be an object with `entries` and `summaries`, lists that are not "
            f"empty ({error})"
        ) from None


def _fields(entry: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in entry.items() if value is not None}
