"""The formats that are known: by which name, how each is recognised, and who reads it.

A format is recognised by what is in the file, never by the file's name. What is in no format that
is known here is refused: it might be anything but speech.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from worker.formats import captions, cues
from worker.formats.lines import BadLine, line_rows, looks_like_object, parsed
from worker.formats.marked import is_marked, marked_rows
from worker.formats.messages import unwrapped
from worker.formats.plain import plain_rows
from worker.formats.rows import BadFile, LeftOut, Row, in_order
from worker.formats.services import (
    assemblyai,
    aws,
    azure,
    deepgram,
    elevenlabs,
    gladia,
    google,
    ibm,
    rev,
    speechmatics,
    whisper,
    youtube,
)
from worker.formats.table import is_table, table_rows
from worker.formats.tree import at, objects

Rows = Iterator[Row | LeftOut]


@dataclass(frozen=True)
class Format:
    """`read` takes the text of a file, or the JSON document that it is."""

    title: str
    read: Callable[[Any], Rows]
    is_json: bool = False


def _entries(document: Any) -> Rows:
    """Of `weir export --format json`, or a list of objects with the fields of entries."""
    items = document if isinstance(document, list) else at(document, "entries")
    for number, item in enumerate(items if isinstance(items, list) else [document], 1):
        if isinstance(item, dict):
            yield from unwrapped(item)
        else:
            yield LeftOut(f"item {number}", "not a JSON object")


def _of(title: str, service: ModuleType) -> Format:
    return Format(title, lambda document: in_order(service.rows(document)), is_json=True)


# The first that knows a document reads it: whose shape is closer told stands before the others.
_SERVICES = {
    "deepgram": ("Deepgram JSON", deepgram),
    "aws": ("Amazon Transcribe JSON", aws),
    "speechmatics": ("Speechmatics JSON", speechmatics),
    "ibm": ("IBM Watson JSON", ibm),
    "google": ("Google Speech JSON", google),
    "azure": ("Azure Speech JSON", azure),
    "elevenlabs": ("ElevenLabs JSON", elevenlabs),
    "assemblyai": ("AssemblyAI JSON", assemblyai),
    "gladia": ("Gladia JSON", gladia),
    "rev": ("Rev.ai JSON", rev),
    "youtube": ("YouTube JSON", youtube),
    "whisper": ("Whisper JSON", whisper),
}
FORMATS = {
    "text": Format("plain text", plain_rows),
    "marked": Format("text with times", marked_rows),
    "table": Format("a table", table_rows),
    "jsonl": Format("JSON lines", line_rows),
    "json": Format("JSON", _entries, is_json=True),
    "srt": Format("SubRip captions", captions.subrip_rows),
    "vtt": Format("WebVTT captions", captions.webvtt_rows),
    "sbv": Format("SBV captions", captions.sbv_rows),
    **{name: _of(title, service) for name, (title, service) in _SERVICES.items()},
}
KNOWN = ", ".join(f"{one.title} ({name})" for name, one in FORMATS.items())
_UNKNOWN = f"it is in no format that is known; these are: {KNOWN}; --format says which it is"

_NUM_PROBED_LINES = 200
# Text that is markup, a style sheet or a table, not speech.
_FOREIGN = re.compile(
    r"\s*(?:<(?:\?xml|!doctype|html|tt[\s>]|sami|transcript)|\[Script Info\]|\{\d+\}\{\d+\}"
    r"|%!PS|#!|[a-z_]+(?:[,;\t][a-z_]+){2,}\s*\n)",
    re.I,
)


def recognised(text: str) -> tuple[str, Any]:
    """The name of the format, and what its reader takes. Raises BadFile."""
    lines = [line for line in text.split("\n") if line.strip()][:_NUM_PROBED_LINES]
    if not lines:
        raise BadFile("it has no text")
    if lines[0].startswith("WEBVTT"):
        return "vtt", text
    if any(map(cues.is_timing, lines)):
        return "srt", text
    if any(map(cues.is_sbv_timing, lines)):
        return "sbv", text
    if looks_like_object(text) or text.lstrip().startswith("["):
        found = _json(text, lines)
        if found:
            return found
    if is_table(text):
        return "table", text
    if _FOREIGN.match(text):
        raise BadFile(_UNKNOWN)
    return "marked" if is_marked(text) else "text", text


def document_of(text: str) -> Any:
    """The JSON of a file that is said to be JSON. Raises BadFile."""
    try:
        return parsed(text)
    except BadLine as error:
        raise BadFile(f"it is not JSON: {error}") from None


def _json(text: str, lines: list[str]) -> tuple[str, Any] | None:
    """None: it is text that begins with a bracket."""
    if len(lines) > 1 and _is_object(lines[0]):
        return "jsonl", text
    try:
        document = parsed(text)
    except BadLine as error:
        if any(map(_is_object, lines)):
            return "jsonl", text
        if text.lstrip().startswith("["):
            return None
        raise BadFile(f"it begins like JSON, and is not: {error}") from None
    return _service(document), document


def _is_object(line: str) -> bool:
    try:
        return looks_like_object(line) and isinstance(parsed(line), dict)
    except BadLine:
        return False


def _service(document: Any) -> str:
    for name, (_, service) in _SERVICES.items():
        if service.is_it(document):
            return name
    items = document if isinstance(document, list) else objects(document, "entries") or [document]
    if any("text" in item or unwrapped(item) != [item] for item in _objects_in(items)[:1]):
        return "json"
    raise BadFile(_UNKNOWN)


def _objects_in(items: list[Any]) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)]
