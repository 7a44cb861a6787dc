"""The talk that the demo publishes: the shipped one, a file, or standard input.

A file may be in any format that `weir publish` reads. Only a talk that the worker can read whole is
published at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from worker.formats.lines import Fields
from worker.formats.pace import times
from worker.formats.reading import Reading, read_file
from worker.formats.rows import BadFile
from worker.formats.sources import STANDARD_INPUT, opened
from worker.intake.entries import Entry, EntryLimits, Rejected, parse_entry

WORDS_PER_SECOND = 2.5
"""How fast somebody speaks whose lines have no times."""


class BadTalk(Exception):
    """The talk cannot be read; the message names the file and the place and says what is wrong."""


@dataclass(frozen=True)
class Utterance:
    """What is published of one entry, and when it ends, in seconds of talk."""

    fields: dict[str, str]
    end: float


def read_talk(file: str | None) -> list[Utterance]:
    """The utterances of a file, of standard input ("-") or of the shipped talk (None).

    The talk begins at nought, at whatever time its file does, and ends never go back. The last
    utterance says that the stream ends. Raises BadTalk.
    """
    name = "the shipped talk" if file is None else _name(file)
    talk: list[Utterance] = []
    first: float | None = None
    for number, fields in enumerate(_reading(file, name).entries, 1):
        fields.pop("end_of_stream", None)  # a talk that ends in the middle would not be read on
        first = times(fields)[0] if first is None else first
        before = talk[-1].end if talk else 0.0
        place = f"{name}, entry {number}"
        talk.append(_utterance(fields, before, first or 0.0, place))
    if not talk:
        raise BadTalk(f"{name} has no text")
    talk[-1].fields["end_of_stream"] = "1"
    return talk


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _reading(file: str | None, name: str) -> Reading:
    try:
        reading = read_file(_bytes_of(file))
    except OSError as error:
        raise BadTalk(f"{name} cannot be read: {error.strerror}; check --file") from None
    except BadFile as error:
        raise BadTalk(f"{name}: {error}") from None
    for bad in (one for one in reading.left_out if one.is_fault):
        raise BadTalk(f"{name}, {bad.place}: {bad.why}")
    return reading


def _bytes_of(file: str | None) -> bytes:
    if file is None:
        return (files("worker.demo") / "sample.jsonl").read_bytes()
    with opened(file) as source:
        return source.read()


def _utterance(fields: Fields, before: float, first: float, place: str) -> Utterance:
    as_bytes = {name.encode(): value.encode() for name, value in fields.items()}
    entry = parse_entry("0-1", as_bytes, EntryLimits())
    if isinstance(entry, Rejected):
        raise BadTalk(f"{place}: {entry.reason}")
    if not entry.final:
        # The account at the end asks for one line from every entry; a hypothesis may give none.
        raise BadTalk(f"{place}: final=0; the demo takes final text only, `weir publish` takes all")
    return Utterance(fields, max(before, _end(entry, before, first)))


def _end(entry: Entry, before: float, first: float) -> float:
    if entry.end is not None:
        return entry.end - first
    start = before if entry.start is None else entry.start - first
    return start + len(entry.text.split()) / WORDS_PER_SECOND
