"""Text with times: what only says when and who is not said.

Times in front of a line (`[00:01:02] words`), from and to as well (`[00:01.000 --> 00:02.000]`, as
Whisper writes to the screen, or Audacity's labels), a time alone on a line (Meet writes one every
five minutes), heads of a name and a time (`Ana Silva  0:12`, as Otter, Teams and Rev write them).
They count where the file has several of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from worker.formats.names import said_by
from worker.formats.plain import cut_rows
from worker.formats.rows import LeftOut, Row
from worker.intake.values import seconds

_TIME = r"(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_ALONE = re.compile(rf"[\[(]?({_TIME})[\])]?", re.ASCII)
_IN_FRONT = re.compile(
    rf"(?:\[({_TIME})\](?=\S)|(?:[\[(]({_TIME})[\])]|({_TIME}))\s*[-–:]?\s+(?=\S))", re.ASCII
)
_FROM_TO = re.compile(rf"\[({_TIME})\s*-->\s*({_TIME})\]\s*|(\d+\.\d+)\t(\d+\.\d+)\t\s*", re.ASCII)
_HEAD = re.compile(rf"\[?([^\W\d_][^\[\]:]{{0,59}}?)\]?(?:,|\s+[-–])?\s+[\[(]?({_TIME})[\])]?:?")
_SHARE_IN_FRONT, _SHARE_HEADS = 0.5, 0.2
_SONG = re.compile(r"\[(?:ti|ar|al|au|by|re|ve|la|offset|length):[^\]]*\]")  # about lyrics (LRC)
# What Meet puts around a transcript, and what it, Otter and Teams write below one.
_BEGIN, _END = (
    ("Attendees", "Transcript"),
    re.compile(
        r"Meeting ended after \d|Transcription ended|Transcribed by https?://otter\.ai"
        r"|.{1,60} stopped transcription$"
    ),
)


def is_marked(text: str) -> bool:
    """Whether the text says when things were said."""
    lines = _lines(text)
    has_marks = _in_front(lines) or _with_heads(lines) or _from_to(lines)
    return has_marks or sum(map(_is_alone, lines)) > 1


def marked_rows(text: str) -> Iterator[Row | LeftOut]:
    lines = _lines(text)
    if _from_to(lines):
        yield from _spans(lines)
        return
    lines = _spoken_part(lines)
    heads = _with_heads(lines)
    if heads:
        begin = next(n for n, line in enumerate(lines) if _HEAD.fullmatch(line))
        for line in lines[:begin]:
            yield LeftOut(f'"{line[:40]}"', "it stands above the first name", is_fault=False)
        lines = lines[begin:]
    strip = _in_front(lines)
    pieces: list[tuple[float | None, str | None, str]] = []
    start: float | None = None
    speaker: str | None = None
    for line in lines:
        head = _HEAD.fullmatch(line) if heads else None
        if head:
            speaker, start = head[1].strip(), seconds(head[2])
        elif _is_alone(line):
            start = seconds(line.strip("[]()"))
        elif strip and (front := _IN_FRONT.match(line)):
            pieces.append((seconds(front[1] or front[2] or front[3]), speaker, line[front.end() :]))
        else:
            pieces.append((start, speaker, line))
            start = None
    named = said_by([[line] for _, _, line in pieces])
    for (at, whose, _), [(name, words)] in zip(pieces, named, strict=True):
        yield from cut_rows(words, start=at, speaker=name or whose)


def _spans(lines: Sequence[str]) -> Iterator[Row | LeftOut]:
    """Where lines have a beginning and an end, what has none is the program's own."""
    for line in lines:
        if match := _FROM_TO.match(line):
            start, end = (seconds(one) for one in match.groups() if one is not None)
            yield from cut_rows(line[match.end() :], start=start, end=end)
        else:
            yield LeftOut(
                f'"{line[:40]}"', "it has no time, as the other lines have", is_fault=False
            )


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not _SONG.fullmatch(line)]


def _is_alone(line: str) -> bool:
    return _ALONE.fullmatch(line) is not None


def _in_front(lines: Sequence[str]) -> bool:
    return _is_share(_SHARE_IN_FRONT, [_IN_FRONT.match(line) is not None for line in lines])


def _from_to(lines: Sequence[str]) -> bool:
    return _is_share(_SHARE_IN_FRONT, [_FROM_TO.match(line) is not None for line in lines])


def _with_heads(lines: Sequence[str]) -> bool:
    return _is_share(_SHARE_HEADS, [_HEAD.fullmatch(line) is not None for line in lines])


def _is_share(share: float, found: Sequence[bool]) -> bool:
    return sum(found) > 1 and sum(found) >= share * len(found)


def _spoken_part(lines: list[str]) -> list[str]:
    """Without what Meet writes before and after it."""
    if all(line in lines for line in _BEGIN):
        lines = lines[lines.index(_BEGIN[1], lines.index(_BEGIN[0])) + 1 :]
        if lines and "computer generated" in lines[0]:
            lines = lines[1:]
    return [line for line in lines if not _END.match(line)]
