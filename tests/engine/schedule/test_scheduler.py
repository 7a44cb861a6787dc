"""The scheduler in milliseconds: no model, no tensor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NoFreeRow
from engine.schedule.generation import GenerateRequest
from engine.schedule.rows import Rows
from engine.schedule.scheduler import Scheduler, Segment, in_batching_order
from engine.schedule.session import Session
from engine.schedule.window import Window


def fill(scheduler: Scheduler, pending: list[int]) -> list[Session]:
    sessions = [Session(row, Window(2, 6)) for row in range(len(pending))]
    for session, num_tokens in zip(sessions, pending, strict=True):
        scheduler.add(session)
        session.feed(range(num_tokens))
    return sessions


def carry_out(segments: list[Segment]) -> None:
    for segment in segments:
        segment.session.advance(segment.num_tokens)


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 20), st.integers(12, 60)
)
def test_every_token_is_computed_once_in_order_within_the_budget(
    pending: list[int], max_chunk: int, max_step_tokens: int
) -> None:
    scheduler = Scheduler(max_chunk, max_step_tokens)
    sessions = fill(scheduler, pending)
    computed: dict[Session, list[int]] = {session: [] for session in sessions}
    while scheduler.has_work:
        segments = scheduler.plan(len(scheduler.sessions))
        assert 0 < sum(segment.num_tokens for segment in segments) <= max_step_tokens
        for segment in segments:
            assert segment.num_tokens <= max_chunk
            assert segment.first == len(computed[segment.session])
            computed[segment.session] += segment.token_ids
        carry_out(segments)
    assert [computed[session] for session in sessions] == [list(range(n)) for n in pending]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(1, 20))
def test_nobody_waits_longer_than_one_round(pending: list[int], max_chunk: int) -> None:
    """Each step serves at least one feeding session, those longest unserved first."""
    scheduler = Scheduler(max_chunk, max_step_tokens=len(pending))
    sessions = fill(scheduler, pending)
    waited = dict.fromkeys(sessions, 0)
    while scheduler.has_work:
        segments = scheduler.plan(len(scheduler.sessions))
        served = {segment.session for segment in segments}
        for session in sessions:
            waited[session] = waited[session] + 1 if session.pending else 0
            if session in served:
                waited[session] = 0
            assert waited[session] <= len(sessions)
        carry_out(segments)


def test_single_tokens_come_first_and_by_row_so_that_neighbours_batch() -> None:
    scheduler = Scheduler(max_chunk=10, max_step_tokens=30)
    fill(scheduler, [40, 1, 0, 1, 5, 1])
    for _ in range(2):
        scheduler._sessions = dict(reversed(scheduler._sessions.items()))
        segments = in_batching_order(scheduler.plan(num_lendable=6))
        assert [segment.session.row for segment in segments] == [1, 3, 5, 0, 4]


def test_decoding_is_not_held_up_by_feeding() -> None:
    scheduler = Scheduler(max_chunk=10, max_step_tokens=10)
    sessions = fill(scheduler, [100, 100, 100, 0])
    sessions[3].generate([1], GenerateRequest(max_tokens=1))
    assert [(s.session, s.num_tokens) for s in scheduler.plan(len(scheduler.sessions))] == [
        (sessions[3], 1),
        (sessions[0], 9),
    ]


def test_only_the_end_of_a_prompt_wants_logits() -> None:
    scheduler = Scheduler(max_chunk=10, max_step_tokens=100)
    feeding, asking = fill(scheduler, [12, 0])
    asking.generate(range(12), GenerateRequest(max_tokens=1))
    first = scheduler.plan(len(scheduler.sessions))
    assert [segment.wants_logits for segment in first] == [False, False]
    carry_out(first)
    second = {
        segment.session: segment.wants_logits for segment in scheduler.plan(len(scheduler.sessions))
    }
    assert second == {feeding: False, asking: True}


def test_no_work_is_an_empty_plan() -> None:
    scheduler = Scheduler(max_chunk=10, max_step_tokens=100)
    (session,) = fill(scheduler, [0])
    assert scheduler.plan(len(scheduler.sessions)) == []
    scheduler.remove(session)
    assert not scheduler.has_work


def test_rows_are_given_lowest_first() -> None:
    rows = Rows(3)
    assert [rows.take(), rows.take(), rows.take()] == [0, 1, 2]
    rows.give_back(2)
    rows.give_back(0)
    assert rows.take() == 0
    rows.check_integrity([0, 1])


def test_no_row_left_says_what_to_do() -> None:
    rows = Rows(1)
    rows.take()
    with pytest.raises(NoFreeRow, match="num_rows"):
        rows.take()


def test_integrity_finds_a_row_that_is_lost_or_owned_twice() -> None:
    rows = Rows(2)
    rows.take()
    for in_use in ([], [0, 0], [0, 1], [1]):
        with pytest.raises(AssertionError):
            rows.check_integrity(in_use)
