"""Cues of SubRip, WebVTT and YouTube's SBV as they stand in the file, markup included.

The line with the times is what holds a cue: its words follow it, and the line before it may be its
number or name. Files in the wild leave out blank lines, numbers, hours and milliseconds; none of
that costs a word. (Of the libraries for this, pysubs2 1.8 takes NOTE blocks for speech, and
webvtt-py 0.6 loses cues without milliseconds.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from worker.intake.values import seconds

_TIME = r"(?:\d{1,9}:)?\d{1,9}:\d{1,2}(?:[.,]\d{1,9})?"
_ARROW = re.compile(rf"\s*({_TIME})\s*-+>\s*({_TIME})(?:\s+\S.*)?\s*", re.ASCII)
_COMMA = re.compile(rf"\s*({_TIME}),({_TIME})\s*", re.ASCII)
_NUMBER = re.compile(r"\s*\d+\s*")


@dataclass(frozen=True)
class Cue:
    """Times in seconds; `lines` are not blank."""

    start: float
    end: float
    lines: tuple[str, ...]


def is_timing(line: str) -> bool:
    """Whether it is the line of a cue that has the times."""
    return "->" in line and _ARROW.fullmatch(line) is not None


def is_sbv_timing(line: str) -> bool:
    return _COMMA.fullmatch(line) is not None


def subrip(text: str) -> Iterator[Cue]:
    """A blank line does not end a cue: a number and a time do."""
    for start, end, body in _cut(text, _ARROW):
        yield Cue(start, end, _kept(body))


def webvtt(text: str) -> Iterator[Cue]:
    """An empty line ends a cue; what follows up to the next times is a note, a style or a name."""
    for start, end, body in _cut(text, _ARROW):
        yield Cue(start, end, _kept(takewhile(bool, body)))


def sbv(text: str) -> Iterator[Cue]:
    for start, end, body in _cut(text, _COMMA):
        yield Cue(start, end, _kept(body))


def _cut(text: str, timing: re.Pattern[str]) -> Iterator[tuple[float, float, list[str]]]:
    """Of each cue the times, and the lines up to the next cue's number or times."""
    lines = text.split("\n")
    found = [(n, m) for n, line in enumerate(lines) if (m := timing.fullmatch(line))]
    ends = [n for n, _ in found[1:]]
    if found and _is_number(lines, found[0][0] - 1):  # elsewhere a number is said
        ends = [n - _is_number(lines, n - 1) for n in ends]
    for (at, match), end in zip(found, [*ends, len(lines)], strict=False):
        yield seconds(match[1]) or 0.0, seconds(match[2]) or 0.0, lines[at + 1 : end]


def _is_number(lines: Sequence[str], at: int) -> bool:
    return at >= 0 and _NUMBER.fullmatch(lines[at]) is not None


def _kept(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines if line.strip())
