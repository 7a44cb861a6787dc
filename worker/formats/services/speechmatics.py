"""Speechmatics' transcript of a recorded file (json-v2): words, and marks that belong to them.

Shape: docs.speechmatics.com, "Output" of the batch API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from worker.formats.rows import Row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, name, objects, seconds


def is_it(document: Any) -> bool:
    return any(
        item.get("type") in ("word", "punctuation") and objects(item, "alternatives")
        for item in objects(document, "results")
    )


def rows(document: Any) -> Iterator[Row]:
    language = name(at(document, "results", 0, "alternatives", 0, "language"))
    channels: dict[str | None, list[dict[str, Any]]] = {}
    for item in objects(document, "results"):
        channels.setdefault(name(item.get("channel")), []).append(item)
    has_blanks = at(document, "metadata", "language_pack_info", "word_delimiter") != ""
    for channel, items in channels.items():
        words = [
            replace(spoken, glued=not has_blanks or _follows(item))
            for item in items
            for spoken in _word(item)
        ]
        yield from sentences(words, lang=language, channel=channel)


def _word(item: dict[str, Any]) -> list[Word]:
    heard = at(item, "alternatives", 0)
    start, end = seconds(item.get("start_time")), seconds(item.get("end_time"))
    return word(at(heard, "content"), start, end, _speaker(heard))


def _follows(item: dict[str, Any]) -> bool:
    """A mark says to which side it belongs: nearly all to the word before."""
    side = item.get("attaches_to", "previous")
    return item.get("type") == "punctuation" and side in ("previous", "both")


def _speaker(heard: Any) -> str | None:
    """UU is nobody in particular."""
    label = name(at(heard, "speaker"))
    return None if label == "UU" else label
