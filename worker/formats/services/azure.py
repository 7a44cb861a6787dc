"""Azure Speech: batch transcription, fast transcription, and detailed results of the SDK.

Shape: learn.microsoft.com/azure/ai-services/speech-service, "Get batch transcription results",
"Use the fast transcription API" and "Get speech recognition results".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.tree import at, first, name, objects, seconds

_TICKS = 10_000_000  # 100 nanoseconds each


def is_it(document: Any) -> bool:
    return bool(_phrases(document)) or at(document, "RecognitionStatus") is not None


def rows(document: Any) -> Iterator[Row]:
    if at(document, "RecognitionStatus") is not None:
        yield from _recognised(document)
        return
    phrases = _phrases(document)
    channels = {name(item.get("channel")) for item in phrases}
    for item in phrases:
        start, end = _times(item)
        read = row(
            first(item, "text") or first(at(item, "nBest", 0) or {}, "display", "lexical"),
            speaker=name(item.get("speaker")),
            start=start,
            end=end,
            lang=name(item.get("locale")),
            channel=name(item.get("channel")) if len(channels) > 1 else None,
        )
        if read is not None:
            yield read


def _phrases(document: Any) -> list[dict[str, Any]]:
    return objects(document, "recognizedPhrases") or objects(document, "phrases")


def _times(item: dict[str, Any]) -> tuple[float | None, float | None]:
    for start, length, per_second in (
        ("offsetInTicks", "durationInTicks", _TICKS),
        ("offsetMilliseconds", "durationMilliseconds", 1000),
        ("offset", "duration", 1),  # ISO 8601
        ("Offset", "Duration", _TICKS),
    ):
        since = seconds(item.get(start), per_second)
        if since is not None:
            lasts = seconds(item.get(length), per_second)
            return since, None if lasts is None else round(since + lasts, 7)
    return None, None


def _recognised(document: dict[str, Any]) -> Iterator[Row]:
    best = at(document, "NBest", 0) or {}
    start, end = _times(document)
    read = row(
        first(best, "Display", "Lexical") or document.get("DisplayText"), start=start, end=end
    )
    if read is not None:
        yield read
