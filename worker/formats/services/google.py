"""Google Cloud Speech-to-Text, v1 and v2: the answer to a recognition, an operation or a batch,
or several answers in a list; in the names of its JSON or of its Python (`result_end_time`).

With speakers, v1 says all words once more in a last result: they are the same words, with names.

Shape: cloud.google.com/speech-to-text/docs, reference of SpeechRecognitionResult in v1, v1p1beta1
and v2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row, row
from worker.formats.spoken import Word, sentences, word
from worker.formats.tree import at, camel, first, name, objects, seconds


def is_it(document: Any) -> bool:
    """A list in which some results are final is what was heard live, message by message."""
    results = _results(document)
    is_live = isinstance(document, list) and any("isFinal" in result for result in results)
    return not is_live and any(_is_result(result) for result in results)


def _is_result(result: dict[str, Any]) -> bool:
    return any("transcript" in heard for heard in objects(result, "alternatives"))


def rows(document: Any) -> Iterator[Row]:
    results = _results(document)
    named = objects(results, -1, "alternatives", 0, "words")
    if len(results) > 1 and _repeats(results) and any(_speaker(item) for item in named):
        yield from sentences([spoken for item in named for spoken in _word(item)])
        return
    before: float | None = None
    for result in results:
        yield from _result(result, before)
        before = seconds(first(result, "resultEndTime", "resultEndOffset")) or before


def _results(document: Any) -> list[dict[str, Any]]:
    """Of an answer, an operation that is done, the file of a batch, or of a list of these."""
    if isinstance(document, list):
        lists = [_results(item) or [item] for item in document if isinstance(item, dict)]
        return [camel(result) for results in lists for result in results]
    paths = (("results",), ("response", "results"), ("transcript", "results"))
    found = next((found for path in paths if (found := objects(document, *path))), [])
    return [camel(result) for result in found]


def _repeats(results: list[dict[str, Any]]) -> bool:
    """Whether the last result has the words of all others."""
    said = [" ".join(_texts(result)) for result in results]
    return said[-1] == " ".join(said[:-1])


def _texts(result: dict[str, Any]) -> list[str]:
    heard = at(result, "alternatives", 0)
    words = [str(item.get("word", "")) for item in objects(heard, "words")]
    return words or str(at(heard, "transcript") or "").split()


def _result(result: dict[str, Any], before: float | None) -> Iterator[Row]:
    heard = at(result, "alternatives", 0)
    about = {"lang": name(result.get("languageCode")), "channel": name(result.get("channelTag"))}
    words = objects(heard, "words")
    if len({_speaker(item) for item in words}) > 1:
        yield from sentences([spoken for item in words for spoken in _word(item)], **about)
        return
    times = [seconds(first(item, "startTime", "startOffset")) for item in words[:1]]
    read = row(
        at(heard, "transcript"),
        speaker=_speaker(words[0]) if words else None,
        start=times[0] if times and times[0] is not None else before,
        end=seconds(first(result, "resultEndTime", "resultEndOffset")),
        confidence=at(heard, "confidence"),
        **about,
    )
    if read is not None:
        yield read


def _word(item: dict[str, Any]) -> list[Word]:
    start = seconds(first(item, "startTime", "startOffset"))
    end = seconds(first(item, "endTime", "endOffset"))
    return word(item.get("word"), start, end, _speaker(item))


def _speaker(item: dict[str, Any]) -> str | None:
    """0 is nobody in particular."""
    return name(first(item, "speakerLabel", "speakerTag") or None)
