"""Rev.ai's transcript: what each speaker says, as words and the marks and blanks between them.

Shape: docs.rev.ai, "Transcript" of the asynchronous API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from worker.formats.rows import Row
from worker.formats.spoken import Word, sentences
from worker.formats.tree import name, objects, seconds

_SOUND = re.compile(r"<[^<>]*>")  # <laugh>, <crosstalk>


def is_it(document: Any) -> bool:
    return any(objects(item, "elements") for item in objects(document, "monologues"))


def rows(document: Any) -> Iterator[Row]:
    for item in objects(document, "monologues"):
        speaker = name(item.get("speaker"))
        yield from sentences(_words(objects(item, "elements"), speaker))


def _words(elements: list[dict[str, Any]], speaker: str | None) -> list[Word]:
    """A blank is an element of its own."""
    words: list[Word] = []
    is_glued = False
    for item in elements:
        text = item.get("value")
        if item.get("type") not in ("text", "punct") or not isinstance(text, str):
            continue
        if text.strip() and not _SOUND.fullmatch(text):
            start, end = seconds(item.get("ts")), seconds(item.get("end_ts"))
            words.append(Word(text.strip(), start, end, speaker, is_glued and bool(words)))
        is_glued = text == text.rstrip()
    return words
