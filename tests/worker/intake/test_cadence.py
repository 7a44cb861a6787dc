"""Coverage: however text and summaries come, no token leaves the window uncovered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.cadence import Cadence

CADENCES = st.builds(
    Cadence,
    num_recent=st.integers(30, 200),
    num_reserved=st.integers(1, 29),
    num_tokens=st.integers(1, 300),
    num_seconds=st.floats(0.1, 100),
)


@given(CADENCES, st.data())
def test_no_token_leaves_the_window_before_a_summary_has_covered_it(
    cadence: Cadence, data: st.DataObject
) -> None:
    """A stream that is fed whenever there is room, with summaries of any duration.

    The window is a plain list of the positions in it; a summary's copy is checked the same way,
    with all its reserved tokens added.
    """
    seen, covered, upto, clock, last_at = 0, 0, None, 0.0, 0.0
    for _ in range(data.draw(st.integers(1, 30))):
        room = cadence.room(num_seen=seen, covered=covered, being_covered=upto)
        seen += data.draw(st.integers(0, room))
        window = range(max(0, seen - cadence.num_recent), seen)
        assert covered == seen or covered in window
        clock += data.draw(st.floats(0, 10))
        if upto is None and seen > covered:
            due = cadence.due(num_uncovered=seen - covered, seconds_since=clock - last_at)
            if due or data.draw(st.booleans()):  # a flush may ask for one at any time
                upto = seen
                copy_end = seen + cadence.num_reserved
                assert covered in range(copy_end - cadence.num_recent, copy_end)
        elif upto is not None and data.draw(st.booleans()):
            covered, upto, last_at = upto, None, clock


@given(CADENCES)
def test_a_full_stream_always_has_a_summary_due(cadence: Cadence) -> None:
    """Nothing may wait for room that only a summary makes, without that summary being due."""
    seen = cadence.room(num_seen=0, covered=0, being_covered=None)
    assert seen > 0
    assert cadence.room(num_seen=seen, covered=0, being_covered=None) == 0
    assert cadence.due(num_uncovered=seen, seconds_since=0.0) in ("window", "tokens")


@given(CADENCES)
def test_a_summary_that_is_being_made_leaves_room_to_feed_on(cadence: Cadence) -> None:
    upto = cadence.max_uncovered // 2
    assert cadence.room(num_seen=upto, covered=0, being_covered=upto) > 0


def test_a_summary_is_due_by_tokens_or_by_the_clock_if_there_is_anything_new() -> None:
    cadence = Cadence(num_recent=1000, num_reserved=200, num_tokens=400, num_seconds=60)
    assert cadence.due(num_uncovered=0, seconds_since=1e9) is None
    assert cadence.due(num_uncovered=1, seconds_since=60) == "seconds"
    assert cadence.due(num_uncovered=399, seconds_since=59) is None
    assert cadence.due(num_uncovered=400, seconds_since=0) == "tokens"
    assert cadence.due(num_uncovered=800, seconds_since=0) == "window"


def test_a_window_without_room_for_a_summary_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="raise WEIR_NUM_RECENT to more than 300"):
        Cadence(num_recent=300, num_reserved=300, num_tokens=1, num_seconds=1)
