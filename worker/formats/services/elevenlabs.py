"""ElevenLabs' Scribe: words, the blanks between them, and sounds, which nobody says.

Shape: elevenlabs.io/docs, reference of /v1/speech-to-text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from worker.formats.rows import Row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, name, objects, seconds


def is_it(document: Any) -> bool:
    """Or the answers for several channels."""
    return any(
        item.get("type") in ("word", "spacing", "audio_event")
        for answer in _answers(document)
        for item in objects(answer, "words")
    )


def rows(document: Any) -> Iterator[Row]:
    for answer in _answers(document):
        about = {"lang": name(at(answer, "language_code")), "channel": _channel(answer)}
        yield from sentences(_words(answer), **about)


def _answers(document: Any) -> list[dict[str, Any]]:
    one = [document] if isinstance(document, dict) else []
    return objects(document, "transcripts") or one


def _channel(answer: dict[str, Any]) -> str | None:
    return name(answer.get("channel_index"))


def _words(answer: dict[str, Any]) -> list[Word]:
    """Words between which it writes no blank, as in Chinese, are joined without one."""
    items = objects(answer, "words")
    return [
        replace(spoken, glued=before.get("type") == "word")
        for before, item in pairwise([{}, *items])
        if item.get("type") == "word"
        for spoken in _word(item)
    ]


def _word(item: dict[str, Any]) -> list[Word]:
    start, end = seconds(item.get("start")), seconds(item.get("end"))
    return word(item.get("text"), start, end, name(item.get("speaker_id")))
