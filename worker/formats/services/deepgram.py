"""Deepgram's answer to a recorded file: utterances, paragraphs or bare words.

Shape: developers.deepgram.com, reference of /v1/listen, and the pages on utterances, paragraphs
and diarization.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, first, name, objects, seconds


def is_it(document: Any) -> bool:
    return bool(objects(_answer(document), "results", "channels"))


def _answer(document: Any) -> Any:
    """Its library for JavaScript puts it beside an error that may have been."""
    return at(document, "result") or document


def rows(document: Any) -> Iterator[Row]:
    document = _answer(document)
    utterances = objects(document, "results", "utterances")
    if utterances:
        yield from _utterances(utterances)
        return
    channels = objects(document, "results", "channels")
    for number, channel in enumerate(channels):
        about = {"channel": str(number)} if len(channels) > 1 else {}
        yield from _channel(at(channel, "alternatives", 0), about)


def _utterances(utterances: list[dict[str, Any]]) -> Iterator[Row]:
    channels = {name(item.get("channel")) for item in utterances}
    for item in utterances:
        read = row(
            item.get("transcript"),
            speaker=name(item.get("speaker")),
            start=seconds(item.get("start")),
            end=seconds(item.get("end")),
            confidence=item.get("confidence"),
            channel=name(item.get("channel")) if len(channels) > 1 else None,
        )
        if read is not None:
            yield read


def _channel(heard: Any, about: dict[str, str]) -> Iterator[Row]:
    paragraphs = objects(heard, "paragraphs", "paragraphs")
    words = [spoken for item in objects(heard, "words") for spoken in _word(item)]
    if paragraphs:
        yield from _paragraphs(paragraphs, about)
    elif words:
        yield from sentences(words, **about)
    elif read := row(at(heard, "transcript"), **about):
        yield read


def _paragraphs(paragraphs: list[dict[str, Any]], about: dict[str, str]) -> Iterator[Row]:
    for paragraph in paragraphs:
        speaker = name(paragraph.get("speaker"))
        for item in objects(paragraph, "sentences"):
            times = {"start": seconds(item.get("start")), "end": seconds(item.get("end"))}
            if read := row(item.get("text"), speaker=speaker, **times, **about):
                yield read


def _word(item: dict[str, Any]) -> list[Word]:
    start, end = seconds(item.get("start")), seconds(item.get("end"))
    return word(first(item, "punctuated_word", "word"), start, end, name(item.get("speaker")))
