"""One JSON object of a line: fields of an entry, or what a recogniser sends while it listens.

Deepgram, Google, Amazon Transcribe, Azure, IBM, Speechmatics and Vosk wrap the words; the names
inside (`transcript`, `is_final`, `start_time`, ...) are understood wherever entries are read, so
here they are only unwrapped. Messages that say nothing (metadata, keep-alives, ends of utterances)
give none.

Shapes: the services' references of their streaming APIs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from worker.formats.rows import Row
from worker.formats.services import azure, deepgram, ibm, whisper
from worker.formats.tree import at, camel, first, name, objects, seconds


def unwrapped(message: dict[str, Any]) -> list[Row]:
    """The rows of one message. An object that is none of these is a row itself."""
    for service in (whisper, deepgram):  # whole documents, a line each
        if service.is_it(message):
            return list(service.rows(message))
    for is_it, rows in () if isinstance(message.get("text"), str) else _KINDS:
        if is_it(message):
            return list(rows(message))
    return [_with_end(message)]


def _with_end(message: Row) -> Row:
    """A start and how long it lasts, as YouTube's captions have it; Vosk has the times of words."""
    start, lasts = seconds(message.get("start")), seconds(message.get("duration"))
    if start is not None and lasts is not None and "end" not in message:
        return {**message, "end": _sum(start, lasts)}
    if at(message, "result", 0, "word") is not None:
        start, end = at(message, "result", 0, "start"), at(message, "result", -1, "end")
        return {"text": message.get("text"), "start": start, "end": end}
    return message


def _sum(start: float, lasts: float) -> float:
    return round(start + lasts, 6)


def _deepgram(message: dict[str, Any]) -> Iterator[Row]:
    start, lasts = seconds(message.get("start")), seconds(message.get("duration"))
    ends = None if start is None or lasts is None else _sum(start, lasts)
    heard = at(message, "channel", "alternatives", 0)
    speakers = {name(item.get("speaker")) for item in objects(heard, "words")}
    num_channels = at(message, "channel_index", 1)
    yield from _said(
        at(heard, "transcript"),
        start=start,
        end=ends,
        final=message.get("is_final"),
        confidence=at(heard, "confidence"),
        speaker=speakers.pop() if len(speakers) == 1 else None,
        channel=name(at(message, "channel_index", 0)) if num_channels != 1 else None,
    )


def _google(message: dict[str, Any]) -> Iterator[Row]:
    for result in camel(objects(message, "results")):
        yield from _said(
            at(result, "alternatives", 0, "transcript"),
            final=result.get("isFinal", False),
            end=seconds(first(result, "resultEndTime", "resultEndOffset")),
            lang=name(result.get("languageCode")),
        )


def _aws(message: dict[str, Any]) -> Iterator[Row]:
    for result in objects(message, "Transcript", "Results"):
        yield from _said(
            at(result, "Alternatives", 0, "Transcript"),
            final=not result.get("IsPartial"),
            start=seconds(result.get("StartTime")),
            end=seconds(result.get("EndTime")),
            segment=name(result.get("ResultId")),
        )


def _speechmatics(message: dict[str, Any]) -> Iterator[Row]:
    heard = message.get("metadata")
    start, end = seconds(at(heard, "start_time")), seconds(at(heard, "end_time"))
    is_final = message["message"] == "AddTranscript"
    yield from _said(at(heard, "transcript"), final=is_final, start=start, end=end)


def _assemblyai(message: dict[str, Any]) -> Iterator[Row]:
    """The end of a turn comes twice where it is asked for with capitals and marks."""
    yield from _said(
        message.get("transcript"),
        final=message.get("end_of_turn"),
        segment=name(message.get("turn_order")),
        start=seconds(at(message, "words", 0, "start"), 1000),
        end=seconds(at(message, "words", -1, "end"), 1000),
    )


def _vosk(message: dict[str, Any]) -> Iterator[Row]:
    yield from _said(message["partial"], final=False)


def _said(text: object, **about: object) -> Iterator[Row]:
    if isinstance(text, str) and text.strip():
        yield {"text": text, **about}


_SILENT = frozenset({"Metadata", "UtteranceEnd", "SpeechStarted", "Begin", "Termination"})
_KINDS: tuple[tuple[Callable[[Row], bool], Callable[[Row], Iterator[Row]]], ...] = (
    (lambda m: name(m.get("type")) in _SILENT, lambda m: iter(())),
    (lambda m: bool(objects(m, "channel", "alternatives")), _deepgram),
    (lambda m: "turn_order" in m, _assemblyai),
    (lambda m: "result_index" in m, ibm.message),
    (lambda m: bool(objects(m, "results", 0, "alternatives")), _google),
    (lambda m: at(m, "Transcript", "Results") is not None, _aws),
    (lambda m: m.get("message") in ("AddTranscript", "AddPartialTranscript"), _speechmatics),
    (lambda m: isinstance(m.get("partial"), str), _vosk),
    (lambda m: "RecognitionStatus" in m, azure.rows),
)
