"""The forms in which a transcript can be had as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from worker.formats.clock import clock
from worker.formats.writing import captions, documents
from worker.formats.writing.timing import Placed, Timing
from worker.formats.writing.utterances import utterances

EXPORTS = ("txt", "md", "srt", "vtt", "json", "jsonl")
_CAPTIONS = {"srt": captions.subrip, "vtt": captions.webvtt}

Say = Callable[[str], None]


class NoTimes(Exception):
    """Captions were asked for, and nothing says when anything was said."""


def exported(
    entries: Iterable[Mapping[str, str]], format: str, stream: str, say: Say
) -> Iterator[str]:
    """The file, bit by bit. say: is told of what is not as it was. Raises NoTimes."""
    said = utterances(entries)
    if format in _CAPTIONS:
        timing = Timing()
        yield from _CAPTIONS[format](_some(timing.placed(said), timing))
        _tell(timing, say)
    elif format == "md":
        yield from documents.markdown(said, stream)
    elif format == "json":
        yield from documents.one_json(said, stream)
    else:
        yield from (documents.plain if format == "txt" else documents.json_lines)(said)


def _some(placed: Iterator[Placed], timing: Timing) -> Iterator[Placed]:
    """All of them. Raises NoTimes if there are words and none has a time."""
    is_empty = True
    for one in placed:
        is_empty = False
        yield one
    if is_empty and timing.num_without:
        raise NoTimes(
            "no entry has a time, and captions need them: publish `start` and `end`, or export txt"
        )


def _tell(timing: Timing, say: Say) -> None:
    if timing.num_without:
        say(f"{timing.num_without} utterances had no time: theirs lie between their neighbours'")
    if timing.origin:
        say(f"the captions count from {clock(timing.origin)} UTC, the first time that there is")
