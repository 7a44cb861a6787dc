"""IBM Watson Speech to Text: one answer, or a list of them; who speaks is said apart, by times.

Shape: cloud.ibm.com/docs/speech-to-text, "Basic response", "Word timestamps", "Speaker labels".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.spoken import sentences, word
from worker.formats.tree import at, name, objects, seconds

_HESITATION = re.compile(r"%HESITATION\s*")  # a sound that is no word


@dataclass(frozen=True)
class _Timed:
    text: object
    start: float | None
    end: float | None


def is_it(document: Any) -> bool:
    """A list in which some are not final is what was heard live, message by message."""
    answers = _answers(document)
    finals = [result.get("final") for answer in answers for result in objects(answer, "results")]
    is_live = isinstance(document, list) and False in finals
    return not is_live and any(map(_is_answer, answers))


def _is_answer(answer: dict[str, Any]) -> bool:
    heard = at(answer, "results", 0, "alternatives", 0)
    is_theirs = "result_index" in answer or at(heard, "timestamps") is not None
    return heard is not None and is_theirs


def rows(document: Any) -> Iterator[Row]:
    for answer in _answers(document):
        speakers = {
            item["from"]: name(item.get("speaker"))
            for item in objects(answer, "speaker_labels")
            if isinstance(item.get("from"), int | float)
        }
        for result in objects(answer, "results"):
            yield from _result(at(result, "alternatives", 0), speakers)


def message(answer: dict[str, Any]) -> Iterator[Row]:
    """What is heard live: results of one number may change until they are final."""
    number = answer.get("result_index")
    for place, result in enumerate(objects(answer, "results")):
        times = _times(at(result, "alternatives", 0))
        read = row(
            _said(at(result, "alternatives", 0, "transcript")),
            final=result.get("final", False),
            segment=str(number + place) if isinstance(number, int) else None,
            start=times[0].start if times else None,
            end=times[-1].end if times else None,
        )
        if read is not None:
            yield read


def _answers(document: Any) -> list[dict[str, Any]]:
    found = document if isinstance(document, list) else [document]
    return [item for item in found if isinstance(item, dict)]


def _result(heard: Any, speakers: dict[float, str | None]) -> Iterator[Row]:
    times = _times(heard)
    if speakers:
        words = [
            spoken
            for one in times
            for spoken in word(_said(one.text), one.start, one.end, speakers.get(one.start or 0.0))
        ]
        yield from sentences(words)
        return
    read = row(
        _said(at(heard, "transcript")),
        start=times[0].start if times else None,
        end=times[-1].end if times else None,
        confidence=at(heard, "confidence"),
    )
    if read is not None:
        yield read


def _times(heard: Any) -> list[_Timed]:
    found = at(heard, "timestamps")
    return [
        _Timed(at(one, 0), seconds(at(one, 1)), seconds(at(one, 2)))
        for one in (found if isinstance(found, list) else [])
    ]


def _said(text: object) -> object:
    return _HESITATION.sub("", text) if isinstance(text, str) else text
