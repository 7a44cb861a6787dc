"""Captions that roll are said once; captions that do not are said as they are."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from worker.formats.cues import Cue
from worker.formats.rolling import unrolled

LINES = st.lists(st.sampled_from(["no", "no no", "yes", "the river", "is high"]), min_size=3)


def rolling(lines: list[str], *, holds: bool, num_shown: int) -> list[Cue]:
    """What a recogniser that shows the last lines makes of them, with or without a cue that only
    holds the screen in between."""
    cues: list[Cue] = []
    for number in range(len(lines)):
        start = 2.0 * number
        shown = tuple(lines[max(0, number + 1 - num_shown) : number + 1])
        cues.append(Cue(start, start + 1.99, shown))
        if holds:
            cues.append(Cue(start + 1.99, start + 2.0, shown[-1:]))
    return cues


@given(LINES, st.sampled_from([(True, 2), (False, 2), (False, 3)]))
def test_every_line_is_said_once(lines: list[str], kind: tuple[bool, int]) -> None:
    holds, num_shown = kind
    # A screen of the same lines, and again: nobody can tell whether that is one more.
    screens = [lines[n : n + num_shown] for n in range(len(lines) - num_shown)]
    assume(holds or all(len(set(screen)) > 1 for screen in screens))
    shown = unrolled(rolling(lines, holds=holds, num_shown=num_shown))
    assert [line for cue in shown for line in cue.lines] == lines
    assert [cue.start for cue in shown] == [2.0 * number for number in range(len(lines))]


@given(LINES)
def test_what_is_said_twice_in_ordinary_captions_stays(lines: list[str]) -> None:
    cues = [Cue(2.0 * n, 2.0 * n + 2.0, (line,)) for n, line in enumerate(lines)]
    assert unrolled(cues) == cues
