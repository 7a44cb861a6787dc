"""Gladia's result: utterances, in seconds.

Shape: docs.gladia.io, "Get the transcription result".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.tree import at, name, objects, seconds


def is_it(document: Any) -> bool:
    return bool(_utterances(document))


def rows(document: Any) -> Iterator[Row]:
    channels = {name(item.get("channel")) for item in _utterances(document)}
    for item in _utterances(document):
        read = row(
            item.get("text"),
            speaker=name(item.get("speaker")),
            start=seconds(item.get("start")),
            end=seconds(item.get("end")),
            lang=name(item.get("language")),
            channel=name(item.get("channel")) if len(channels) > 1 else None,
        )
        if read is not None:
            yield read


def _utterances(document: Any) -> list[dict[str, Any]]:
    result = at(document, "result") or document
    return objects(result, "transcription", "utterances")
