"""A session's counters, without any tensor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session
from engine.schedule.window import Window


def session(**options: int) -> Session:
    return Session(0, Window(2, 6), **options)


def test_start_is_the_number_of_the_first_token() -> None:
    counted = session(start=2**40)
    counted.feed([5, 6, 7])
    assert (counted.num_computed, counted.num_seen, counted.num_pending) == (2**40, 2**40 + 3, 3)
    counted.advance(2)
    assert (counted.num_computed, counted.num_seen, counted.num_pending) == (
        2**40 + 2,
        2**40 + 3,
        1,
    )
    assert (counted.window_fill, counted.num_slid_out) == (2, 0)


def test_tokens_slide_out_when_the_window_is_full() -> None:
    full = session(start=100)
    full.feed(range(11))
    full.advance(11)
    assert (full.window_fill, full.num_slid_out) == (8, 3)


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(0, 60))
def test_positions_stay_below_the_limit_and_keys_are_turned_at_most_once(
    chunks: list[int], limit: int
) -> None:
    moving = session(position_limit=limit)
    turned: list[int] = []
    for chunk in chunks:
        if moving.rebase():
            turned += [token for token in moving.window.slot_tokens(moving.length) if token >= 2]
            assert moving.length - moving.base == moving.window.size - 1
        assert 0 <= moving.length - moving.base <= moving.position_limit
        moving.feed([0] * chunk)
        moving.advance(chunk)
    assert len(turned) == len(set(turned))


def test_generated_tokens_are_pending_until_computed() -> None:
    speaking = session()
    speaking.generate([1, 2], GenerateRequest(max_tokens=2, stop=frozenset({9})))
    speaking.advance(2)
    speaking.accept(5)
    assert (speaking.generated, speaking.pending, speaking.is_generating) == ([5], [5], True)
    speaking.advance(1)
    speaking.accept(6)
    assert (speaking.generated, speaking.finish_reason) == ([5, 6], "length")
    assert (speaking.num_seen, speaking.num_computed) == (4, 3)


def test_stop_token_ends_the_text_and_is_not_part_of_it() -> None:
    speaking = session()
    speaking.generate([1], GenerateRequest(max_tokens=5, stop=frozenset({9})))
    speaking.advance(1)
    speaking.accept(9)
    assert (speaking.generated, speaking.finish_reason, speaking.num_pending) == ([], "stop", 0)


def test_copy_has_the_same_past_and_nothing_pending() -> None:
    original = session(start=10, position_limit=20)
    original.feed(range(15))
    original.advance(9)
    copy = original.copy_to(row=3)
    assert (copy.row, copy.num_computed, copy.num_pending) == (3, 19, 0)
    assert (copy.window, copy.base, copy.position_limit) == (original.window, 0, 20)


def test_feeding_a_generating_session_is_an_error() -> None:
    speaking = session()
    speaking.generate([1], GenerateRequest(max_tokens=5))
    with pytest.raises(EngineError, match="generating"):
        speaking.feed([2])


def test_generating_from_nothing_is_an_error() -> None:
    with pytest.raises(EngineError, match="at least one token"):
        session().generate([], GenerateRequest(max_tokens=5))


def test_closed_session_takes_nothing() -> None:
    closed = session()
    closed.is_closed = True
    with pytest.raises(EngineError, match="closed"):
        closed.feed([1])
