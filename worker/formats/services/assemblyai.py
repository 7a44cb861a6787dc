"""AssemblyAI's transcript of a recorded file. Its times are milliseconds.

Shape: assemblyai.com/docs, reference of /v2/transcript, and its /sentences and /paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, name, objects, seconds

_PER_SECOND = 1000
_PIECES = ("utterances", "sentences", "paragraphs")


def is_it(document: Any) -> bool:
    """Or the list of its utterances alone."""
    if isinstance(document, list):
        return all(isinstance(at(item, "words", 0, "start"), int) for item in document or [None])
    is_known = any(at(document, key) is not None for key in ("id", "audio_url", "language_code"))
    return is_known and any(objects(document, key) for key in (*_PIECES, "words"))


def rows(document: Any) -> Iterator[Row]:
    document = {"utterances": document} if isinstance(document, list) else document
    language = name(at(document, "language_code"))
    pieces = next((found for key in _PIECES if (found := objects(document, key))), None)
    if pieces is None:
        words = [spoken for item in objects(document, "words") for spoken in _word(item)]
        yield from sentences(words, lang=language)
        return
    for item in pieces:
        read = row(
            item.get("text"),
            speaker=name(item.get("speaker")),
            start=seconds(item.get("start"), _PER_SECOND),
            end=seconds(item.get("end"), _PER_SECOND),
            lang=language,
            confidence=item.get("confidence"),
            channel=name(item.get("channel")),
        )
        if read is not None:
            yield read


def _word(item: dict[str, Any]) -> list[Word]:
    start = seconds(item.get("start"), _PER_SECOND)
    end = seconds(item.get("end"), _PER_SECOND)
    return word(item.get("text"), start, end, name(item.get("speaker")))
