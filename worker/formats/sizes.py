"""An entry that is larger than workers take, as several that are not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from worker.formats.lines import BadLine, Fields
from worker.formats.pace import times
from worker.formats.plain import pieces_of

_MIN_TEXT_BYTES = 64  # for a piece; an entry that has less left for its text has no place for one
_BYTES_PER_CHAR = 4  # in UTF-8, at most


def num_bytes(fields: Fields) -> int:
    """As a worker counts them: names and values."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in fields.items())


def fitted(fields: Fields, max_bytes: int) -> list[Fields]:
    """The entry itself, or several that have its words, cut between words, with all else the same.

    If it has a beginning and an end, the pieces share the time by their length. Raises BadLine:
    what is said about the text is too big.
    """
    size = num_bytes(fields)
    if size <= max_bytes:
        return [fields]
    text = fields.get("text", "")
    # Times of pieces may be longer to write than those of the whole.
    room = max_bytes - (size - len(text.encode())) - _MIN_TEXT_BYTES
    if room < _MIN_TEXT_BYTES:
        raise BadLine(f"{size} bytes, at most {max_bytes} are read, and little of it is text")
    pieces = [piece for part in pieces_of(text, room) for piece in _within(part, room)]
    return [fields | {"text": p} | t for p, t in zip(pieces, _shares(fields, pieces), strict=True)]


def _within(text: str, max_bytes: int) -> Iterator[str]:
    """Letters that take several bytes make a piece of many letters too large."""
    if len(text.encode()) <= max_bytes:
        yield text
    else:
        yield from pieces_of(text, max_bytes // _BYTES_PER_CHAR)


def _shares(fields: Fields, pieces: list[str]) -> Iterator[Fields]:
    start, end = times(fields)
    if start is None or end is None or not {"start", "end"} <= fields.keys():
        yield from ({} for _ in pieces)
        return
    lengths = [len(piece) for piece in pieces]
    ends = [start + (end - start) * length / sum(lengths) for length in accumulate(lengths)]
    for begins, ends_at in zip([start, *ends], ends, strict=False):
        yield {"start": f"{begins:.3f}", "end": f"{ends_at:.3f}"}
