"""The talk that the demo publishes: the shipped one, a file, or standard input.

A line that is a JSON object gives an entry's fields; any other line is an entry's text. Blank lines
are passed over. Only a talk that the worker can read whole is published at all.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from worker.intake.entries import Entry, EntryLimits, Rejected, parse_entry
from worker.intake.lines import BadLine, read_line

WORDS_PER_SECOND = 2.5
"""How fast somebody speaks whose lines have no times."""


class BadTalk(Exception):
    """The talk cannot be read; the message names file and line and says what is wrong."""


@dataclass(frozen=True)
class Utterance:
    """What is published of one line, and when it ends, in seconds of talk."""

    fields: dict[str, str]
    end: float


def read_talk(file: str | None) -> list[Utterance]:
    """The utterances of a file, of standard input ("-") or of the shipped talk (None).

    Ends never go back. The last utterance says that the stream ends. Raises BadTalk.
    """
    name, text = _text_of(file)
    talk: list[Utterance] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            before = talk[-1].end if talk else 0.0
            talk.append(_utterance(line, before, place=f"{name}, line {number}"))
    if not talk:
        raise BadTalk(f"{name} has no text: give JSON lines or plain lines")
    talk[-1].fields["end_of_stream"] = "1"
    return talk


def _text_of(file: str | None) -> tuple[str, str]:
    if file is None:
        return "the shipped talk", (files("worker.demo") / "sample.jsonl").read_text("utf-8")
    name = "standard input" if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return name, data.decode("utf-8")
    except OSError as error:
        raise BadTalk(f"{name} cannot be read: {error.strerror}; check --file") from None
    except UnicodeDecodeError as error:
        raise BadTalk(f"{name} is not UTF-8 text (byte {error.start})") from None


def _utterance(line: str, before: float, *, place: str) -> Utterance:
    fields = _fields(line, place)
    as_bytes = {name.encode(): value.encode() for name, value in fields.items()}
    entry = parse_entry("0-1", as_bytes, EntryLimits())
    if isinstance(entry, Rejected):
        raise BadTalk(f"{place}: {entry.reason}")
    if not entry.final:
        # The account at the end asks for one line from every entry; a hypothesis may give none.
        raise BadTalk(f"{place}: final=0; the demo takes final text only, `weir publish` takes all")
    return Utterance(fields, max(before, _end(entry, before)))


def _fields(line: str, place: str) -> dict[str, str]:
    try:
        fields = read_line(line) or {}
    except BadLine as error:
        raise BadTalk(f"{place}: {error}") from None
    # Where the stream ends is decided here: a talk that ends in the middle would never be read on.
    fields.pop("end_of_stream", None)
    return fields


def _end(entry: Entry, before: float) -> float:
    if entry.end is not None:
        return entry.end
    start = before if entry.start is None else entry.start
    return start + len(entry.text.split()) / WORDS_PER_SECOND
