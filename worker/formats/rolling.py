"""Captions that roll: a cue repeats the line before it and adds one, as YouTube's do.

In such a file every line is said once, when it comes first. Ordinary captions are left alone: what
somebody says twice, in cues that follow each other, is said twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from worker.formats.cues import Cue

_TOUCH_SECONDS = 0.1  # cues that roll follow each other at once
# Of all cues; between two that roll, YouTube has one that adds nothing. Where nothing rolls, hardly
# any cue begins as the one before it ends and goes on after that.
_SHARE_ROLLING = 0.3


def unrolled(cues: Sequence[Cue]) -> Sequence[Cue]:
    """The cues without what they repeat; the same cues if they do not roll."""
    num_rolling = sum(0 < _num_repeated(a, b) < len(b.lines) for a, b in pairwise(cues))
    if num_rolling < max(2, _SHARE_ROLLING * len(cues)):
        return cues
    return list(_new_lines(cues))


def _new_lines(cues: Sequence[Cue]) -> Iterator[Cue]:
    before: Cue | None = None
    for cue in cues:
        lines = cue.lines[_num_repeated(before, cue) if before else 0 :]
        if lines:
            yield replace(cue, lines=lines)
        # What only holds the screen has no lines of its own; the next cue repeats all the same.
        before = cue if cue.lines else before


def _num_repeated(one: Cue, other: Cue) -> int:
    """Lines that `other` begins with and `one` ends with."""
    if other.start > one.end + _TOUCH_SECONDS:
        return 0
    most = min(len(one.lines), len(other.lines))
    return next((n for n in range(most, 0, -1) if one.lines[-n:] == other.lines[:n]), 0)
