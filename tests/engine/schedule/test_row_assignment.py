"""Who sits where, and who leaves: integers, no model."""

from __future__ import annotations

import pytest

from engine.errors import NoFreeRow
from engine.schedule.generation import GenerateRequest
from engine.schedule.row_assignment import RowAssignment
from engine.schedule.session import Session
from engine.schedule.window import Window


def seated(*served_at: int) -> tuple[RowAssignment, list[Session]]:
    assignment = RowAssignment(len(served_at))
    sessions = [Session(None, Window(2, 6)) for _ in served_at]
    for session, number in zip(sessions, served_at, strict=True):
        session.served_at = number
        assignment.assign(session)
    return assignment, sessions


def test_rows_are_lent_lowest_first_and_come_back() -> None:
    assignment, sessions = seated(1, 2, 3)
    assert [session.row for session in sessions] == [0, 1, 2]
    assignment.free(sessions[1])
    assert (sessions[1].assigned_row, assignment.num_free) == (None, 1)
    assignment.assign(sessions[1])
    assert sessions[1].row == 1
    assignment.check_integrity(sessions)


def test_the_idle_session_served_longest_ago_leaves() -> None:
    assignment, sessions = seated(5, 2, 9, 1)
    sessions[3].feed([1])
    assert assignment.to_evict(()) is sessions[1]
    assert assignment.to_evict({sessions[1]}) is sessions[0]


def test_with_all_at_work_the_one_served_last_leaves() -> None:
    assignment, sessions = seated(5, 2, 9, 1)
    for session in sessions:
        session.feed([1])
    assert assignment.to_evict(()) is sessions[2]


def test_whoever_decodes_stays() -> None:
    assignment, sessions = seated(1, 2)
    sessions[0].generate([1], GenerateRequest(max_tokens=1))
    assert assignment.num_lendable == 1
    assert assignment.to_evict(()) is sessions[1]
    with pytest.raises(NoFreeRow, match="in this step"):
        assignment.to_evict({sessions[1]})


def test_integrity_finds_a_session_that_was_moved_behind_its_back() -> None:
    assignment, sessions = seated(1, 2)
    sessions[0].assigned_row = 1
    with pytest.raises(AssertionError):
        assignment.check_integrity(sessions)
    sessions[0].assigned_row = 0
    with pytest.raises(AssertionError):
        assignment.check_integrity(sessions[:1])
