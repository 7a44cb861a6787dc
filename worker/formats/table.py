"""A table with a line of headings: commas, semicolons or tabs between columns.

Its columns are named as the fields of an entry, or as services name them. Whisper's own table
(`start`, `end`, `text`, with tabs) counts milliseconds.

Shape of Whisper's: github.com/openai/whisper (`--output_format tsv`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from worker.formats.rows import BadFile, LeftOut, Row
from worker.intake.names import in_our_words

_WHISPERS = ["start", "end", "text"]
_SEPARATORS = ("\t", ",", ";")
_MOST_HEADINGS_CHARS = 1000
_NEEDED = 2  # columns that we know, the text among them


def is_table(text: str) -> bool:
    return _separator(text) is not None


def table_rows(text: str) -> Iterator[Row | LeftOut]:
    separator = _separator(text) or ","
    first, *lines = _cells(text, separator)
    names = [_name(heading) for heading in first]
    unit = "ms" if separator == "\t" and names == _WHISPERS else ""
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(names):
            if cells:
                yield LeftOut(f"line {number}", f"it has {len(cells)} columns and not {len(names)}")
            continue
        fields = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if name}
        said = {k: f"{v}{unit}" if k != "text" else v for k, v in fields.items() if v}
        yield (
            said
            if said.get("text") or _in_ours(said).get(b"text")
            else LeftOut(f"line {number}", "nothing is said in it")
        )


def _cells(text: str, separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text.strip()), delimiter=separator))
    except csv.Error as error:
        raise BadFile(f"it was taken for a table and cannot be read: {error}") from None


def _separator(text: str) -> str | None:
    """That of the first line, if it is one of headings."""
    first = text.strip().partition("\n")[0].strip()
    for separator in _SEPARATORS if 0 < len(first) < _MOST_HEADINGS_CHARS else ():
        names = [_name(heading) for heading in _cells(first, separator)[0]]
        known = _in_ours({name: "1" for name in names if name})
        num_known = sum(name in known for name in (b"text", b"start", b"end", b"speaker"))
        if b"text" in known and num_known >= _NEEDED:
            return separator
    return None


def _name(heading: str) -> str:
    return re.sub(r"\W+", "_", heading.strip().lower()).strip("_")


def _in_ours(fields: Row) -> dict[bytes, bytes]:
    return in_our_words({name.encode(): value.encode() for name, value in fields.items()})
