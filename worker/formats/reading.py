"""A whole file as entries: what `weir publish` and `weir demo` read.

Nothing is taken for speech that is not: numbers of captions, times, notes, styles, tags, metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.formats.catalogue import FORMATS, document_of, recognised
from worker.formats.encodings import decoded
from worker.formats.lines import BadLine, Fields, checked
from worker.formats.rows import BadFile, LeftOut, Row, as_fields


@dataclass(frozen=True)
class Reading:
    """What a file was taken for (`title`, `encoding`) and its entries, every one fit to publish.

    places: where each entry stands, for messages. left_out: the pieces that are no entries.
    """

    format: str
    encoding: str
    entries: Sequence[Fields]
    left_out: Sequence[LeftOut]

    @property
    def title(self) -> str:
        return FORMATS[self.format].title


def read_file(data: bytes, format: str | None = None) -> Reading:
    """format: a name in FORMATS; None to recognise it. Raises BadFile."""
    text, encoding = decoded(data)
    if format is None:
        format, content = recognised(text)
    else:
        content = document_of(text) if FORMATS[format].is_json else text
    found = [_checked(one, f"entry {n}") for n, one in enumerate(FORMATS[format].read(content), 1)]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    entries = [one for one in found if not isinstance(one, LeftOut)]
    if not found:
        raise BadFile(f"it was taken for {FORMATS[format].title} and nothing is said in it")
    return Reading(format, encoding, entries, left_out)


def _checked(found: Row | LeftOut, place: str) -> Fields | LeftOut:
    if isinstance(found, LeftOut):
        return found
    try:
        return checked(as_fields(found))
    except BadLine as error:
        return LeftOut(place, str(error))
