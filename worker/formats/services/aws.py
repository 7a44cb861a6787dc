"""The output of an Amazon Transcribe job: segments where it made some, or words and marks; of Call
Analytics, what each of the two says.

Shape: docs.aws.amazon.com/transcribe, "Data input and output" and "Example diarization output".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, name, objects, seconds


def is_it(document: Any) -> bool:
    return bool(
        objects(document, "results", "transcripts")
        or objects(document, "results", "items")
        or _turns(document)
    )


def rows(document: Any) -> Iterator[Row]:
    if turns := _turns(document):
        yield from _said(turns, name(at(document, "LanguageCode")))
        return
    language = name(at(document, "results", "language_code"))
    segments = objects(document, "results", "audio_segments")
    channels = objects(document, "results", "channel_labels", "channels")
    if segments:
        yield from _segments(segments, language)
    elif channels:
        for channel in channels:
            label = name(channel.get("channel_label"))
            yield from sentences(_words(channel, {}), lang=language, channel=label)
    elif objects(document, "results", "items"):
        results = at(document, "results")
        yield from sentences(_words(results, _speakers(results)), lang=language)
    else:
        for item in objects(document, "results", "transcripts"):
            if read := row(item.get("transcript"), lang=language):
                yield read


def _turns(document: Any) -> list[dict[str, Any]]:
    return [item for item in objects(document, "Transcript") if "Content" in item]


def _said(turns: list[dict[str, Any]], language: str | None) -> Iterator[Row]:
    for item in turns:
        read = row(
            item.get("Content"),
            speaker=name(item.get("ParticipantRole")),
            start=seconds(item.get("BeginOffsetMillis"), 1000),
            end=seconds(item.get("EndOffsetMillis"), 1000),
            lang=language,
        )
        if read is not None:
            yield read


def _segments(segments: list[dict[str, Any]], language: str | None) -> Iterator[Row]:
    for item in segments:
        read = row(
            item.get("transcript"),
            speaker=name(item.get("speaker_label")),
            start=seconds(item.get("start_time")),
            end=seconds(item.get("end_time")),
            lang=name(item.get("language_code")) or language,
            channel=name(item.get("channel_label")),
        )
        if read is not None:
            yield read


def _speakers(results: Any) -> dict[float | None, str | None]:
    """Whose word begins at a time, for outputs that say so apart from the words."""
    return {
        seconds(item.get("start_time")): name(item.get("speaker_label"))
        for segment in objects(results, "speaker_labels", "segments")
        for item in objects(segment, "items")
    }


def _words(results: Any, speakers: dict[Any, str | None]) -> list[Word]:
    """A mark belongs to the word before it, whoever said it."""
    words: list[Word] = []
    for item in objects(results, "items"):
        start, end = seconds(item.get("start_time")), seconds(item.get("end_time"))
        speaker = name(item.get("speaker_label")) or speakers.get(start)
        spoken = word(at(item, "alternatives", 0, "content"), start, end, speaker)
        if item.get("type") == "punctuation" and words and spoken:
            words[-1] = replace(words[-1], text=words[-1].text + spoken[0].text)
        else:
            words += spoken
    return words
