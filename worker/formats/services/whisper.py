"""Whisper and its relatives: OpenAI's package and API, faster-whisper, whisperX, whisper.cpp and
transformers' pipeline.

Shapes: github.com/openai/whisper (`--output_format json`), OpenAI's API reference (verbose_json,
diarized_json), github.com/m-bain/whisperX, github.com/ggml-org/whisper.cpp (`-oj`), transformers'
documentation (`return_timestamps`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.tree import at, name, objects, seconds

_PLACES = ("segments", "transcription", "chunks")
# OpenAI's API names languages; everybody else has codes.
_CODES = {
    **{"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it"},
    **{"portuguese": "pt", "dutch": "nl", "polish": "pl", "russian": "ru", "ukrainian": "uk"},
    **{"swedish": "sv", "norwegian": "no", "danish": "da", "finnish": "fi", "czech": "cs"},
    **{"turkish": "tr", "greek": "el", "hebrew": "he", "arabic": "ar", "hindi": "hi"},
    **{"chinese": "zh", "japanese": "ja", "korean": "ko", "thai": "th", "vietnamese": "vi"},
}


def is_it(document: Any) -> bool:
    """Or the list of its segments alone."""
    if isinstance(document, list):
        return bool(document) and at(document, 0, "avg_logprob") is not None
    return any("text" in item for place in _PLACES for item in objects(document, place)[:1])


def rows(document: Any) -> Iterator[Row]:
    document = {"segments": document} if isinstance(document, list) else document
    language = name(at(document, "language")) or name(at(document, "result", "language"))
    language = _CODES.get(language or "", language)
    pieces = next((found for place in _PLACES if (found := objects(document, place))), [])
    for item in pieces:
        start, end = _times(item)
        speaker = name(item.get("speaker")) or name(at(item, "words", 0, "speaker"))
        read = row(item.get("text"), speaker=speaker, start=start, end=end, lang=language)
        if read is not None:
            yield read


def _times(item: dict[str, Any]) -> tuple[float | None, float | None]:
    if "offsets" in item:  # whisper.cpp, milliseconds
        return seconds(at(item, "offsets", "from"), 1000), seconds(at(item, "offsets", "to"), 1000)
    if "timestamp" in item:  # transformers
        return seconds(at(item, "timestamp", 0)), seconds(at(item, "timestamp", 1))
    return seconds(item.get("start")), seconds(item.get("end"))
