"""YouTube's own captions: `json3`, as its player and yt-dlp fetch them. Times are milliseconds.

Shape: no documentation; what its player reads. A line break between two captions is an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.tree import objects, seconds


def is_it(document: Any) -> bool:
    return any("tStartMs" in item for item in objects(document, "events"))


def rows(document: Any) -> Iterator[Row]:
    said = [item for item in objects(document, "events") if _text(item).strip()]
    starts = [seconds(item.get("tStartMs"), 1000) for item in said]
    for item, start, following in zip(said, starts, [*starts[1:], None], strict=False):
        lasts = seconds(item.get("dDurationMs"), 1000)
        end = None if start is None or lasts is None else round(start + lasts, 3)
        if end is not None and following is not None:  # it stays on the screen under the next
            end = min(end, following)
        if read := row(_text(item), start=start, end=end):
            yield read


def _text(item: dict[str, Any]) -> str:
    parts = (piece.get("utf8") for piece in objects(item, "segs"))
    return "".join(part for part in parts if isinstance(part, str))
