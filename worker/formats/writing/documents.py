"""A transcript as something to read (text, Markdown) or to read in again (JSON)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from worker.formats.clock import clock
from worker.formats.writing.utterances import Utterance

_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_PAUSE_SECONDS = 2.0
_PARAGRAPH_CHARS = 600
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|])|^(\d+)([.)])|^([-+])(?=\s)")
_NUMBERS = ("start", "end")


def plain(said: Iterable[Utterance]) -> Iterator[str]:
    """A sentence or more on a line: what goes on after a part of a sentence goes on there."""
    for line in _lines(said, max_chars=0):
        name = f"{line[0].speaker}: " if line[0].speaker else ""
        yield f"{name}{_joined(line)}\n"


def markdown(said: Iterable[Utterance], stream: str) -> Iterator[str]:
    """A paragraph for each turn; long turns have several."""
    yield f"# {escaped(stream)}\n"
    for line in _lines(said, max_chars=_PARAGRAPH_CHARS):
        first = line[0]
        who = [f"**{escaped(first.speaker)}**"] if first.speaker else []
        when = [f"({clock(first.start)})"] if first.start is not None else []
        head = " ".join([*who, *when])
        yield f"\n{head}{': ' if head else ''}{escaped(_joined(line))}\n"


def json_lines(said: Iterable[Utterance]) -> Iterator[str]:
    for one in said:
        yield json.dumps(_object(one), ensure_ascii=False) + "\n"


def one_json(said: Iterable[Utterance], stream: str) -> Iterator[str]:
    """`{"stream": ..., "entries": [...]}`, an entry on a line."""
    yield f'{{"stream": {json.dumps(stream, ensure_ascii=False)}, "entries": ['
    for number, one in enumerate(said):
        yield f"{',' if number else ''}\n{json.dumps(_object(one), ensure_ascii=False)}"
    yield "\n]}\n"


def _object(one: Utterance) -> dict[str, Any]:
    times = {"start": one.start, "end": one.end}
    about = {name: value for name, value in one.about.items() if name not in _NUMBERS}
    return {"text": one.text} | about | {n: time for n, time in times.items() if time is not None}


def _lines(said: Iterable[Utterance], *, max_chars: int) -> Iterator[list[Utterance]]:
    """Utterances that stand together: of one speaker, up to the first end of a sentence after
    `max_chars`, or up to a pause."""
    line: list[Utterance] = []
    for one in said:
        if line and not _goes_on(line, one, max_chars):
            yield line
            line = []
        line.append(one)
    if line:
        yield line


def _goes_on(line: list[Utterance], one: Utterance, max_chars: int) -> bool:
    last = line[-1]
    if not one.follows or one.speaker != last.speaker:
        return False
    if last.end is not None and one.start is not None and one.start - last.end > _PAUSE_SECONDS:
        return False
    num_chars = sum(len(utterance.text) for utterance in line)
    return num_chars < max_chars or not _SENTENCE_END.search(last.text)


def _joined(line: Iterable[Utterance]) -> str:
    return " ".join(one.text for one in line)


def escaped(text: str) -> str:
    """As it is, whatever Markdown would make of it."""
    return _MARKDOWN.sub(lambda m: "\\" + m[0] if not m[2] else f"{m[2]}\\{m[3]}", text)
