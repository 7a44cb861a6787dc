"""A transcript as SubRip or WebVTT: one cue after the other, none over another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.formats.clock import timestamp
from worker.formats.writing.layout import MAX_WIDTH, lines, screens, width
from worker.formats.writing.timing import Placed
from worker.formats.writing.utterances import anchors


@dataclass(frozen=True)
class Cue:
    """One screen."""

    start: float
    end: float
    text: str
    speaker: str


def subrip(placed: Iterable[Placed]) -> Iterator[str]:
    """`Name: words`: SubRip has no place for names."""
    for number, cue in enumerate(_cues(placed, named=True), 1):
        shown = "\n".join(lines(cue.text.replace("-->", "->")))
        yield f"{number}\n{_times(cue, ',')}\n{shown}\n\n"


def webvtt(placed: Iterable[Placed]) -> Iterator[str]:
    yield "WEBVTT\n\n"
    for cue in _cues(placed, named=False):
        shown = "\n".join(_escaped(line) for line in lines(cue.text))
        voice = f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""
        yield f"{_times(cue, '.')}\n{voice}{shown}{'</v>' if voice else ''}\n\n"


def _times(cue: Cue, point: str) -> str:
    return f"{timestamp(cue.start, point)} --> {timestamp(cue.end, point)}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cues(placed: Iterable[Placed], *, named: bool) -> Iterator[Cue]:
    for one in placed:
        speaker = one.said.speaker
        prefix = f"{speaker}: " if named and speaker else ""
        yield from _screens_of(one, prefix)


def _screens_of(one: Placed, prefix: str) -> Iterator[Cue]:
    text, speaker = prefix + one.said.text, one.said.speaker
    if width(one.said.text) <= MAX_WIDTH:  # a name may make a line longer
        yield Cue(one.start, one.end, text, speaker)
        return
    num_chars = -len(prefix)
    begins = one.start
    for shown in screens(text):
        num_chars += len(shown)
        ends = _moment(one, num_chars)
        yield Cue(begins, ends, shown.strip(), speaker)
        begins = ends


def _moment(one: Placed, num_chars: int) -> float:
    """When that many letters of it have been said."""
    if num_chars >= len(one.said.text):
        return one.end
    # The times of its parts, as far as they lie within its own.
    known = [(n, t) for n, t in anchors(one.said) if one.start < t < one.end]
    places = [(0, one.start), *(k for k in known if 0 < k[0] < len(one.said.text))]
    places.append((len(one.said.text), one.end))
    return _between(places, max(0, num_chars))


def _between(places: Sequence[tuple[int, float]], num_chars: int) -> float:
    at = bisect_right([n for n, _ in places], num_chars)
    (n0, t0), (n1, t1) = places[at - 1], places[min(at, len(places) - 1)]
    return t0 if n1 == n0 else t0 + (t1 - t0) * (num_chars - n0) / (n1 - n0)
