"""Who sits where, and who leaves: integers, no model."""

from __future__ import annotations

import pytest

from engine.errors import NoFreeRow
from engine.generation import GenerateRequest
from engine.seating import Seating
from engine.session import Session
from engine.window import Window


def seated(*served_at: int) -> tuple[Seating, list[Session]]:
    seating = Seating(len(served_at))
    sessions = [Session(None, Window(2, 6)) for _ in served_at]
    for session, number in zip(sessions, served_at, strict=True):
        session.served_at = number
        seating.seat(session)
    return seating, sessions


def test_rows_are_lent_lowest_first_and_come_back() -> None:
    seating, sessions = seated(1, 2, 3)
    assert [session.row for session in sessions] == [0, 1, 2]
    seating.vacate(sessions[1])
    assert (sessions[1].seat, seating.num_free) == (None, 1)
    seating.seat(sessions[1])
    assert sessions[1].row == 1
    seating.check_integrity(sessions)


def test_the_idle_session_served_longest_ago_leaves() -> None:
    seating, sessions = seated(5, 2, 9, 1)
    sessions[3].feed([1])
    assert seating.leaver(()) is sessions[1]
    assert seating.leaver({sessions[1]}) is sessions[0]


def test_with_all_at_work_the_one_served_last_leaves() -> None:
    seating, sessions = seated(5, 2, 9, 1)
    for session in sessions:
        session.feed([1])
    assert seating.leaver(()) is sessions[2]


def test_whoever_decodes_stays() -> None:
    seating, sessions = seated(1, 2)
    sessions[0].generate([1], GenerateRequest(max_tokens=1))
    assert seating.num_lendable == 1
    assert seating.leaver(()) is sessions[1]
    with pytest.raises(NoFreeRow, match="in this step"):
        seating.leaver({sessions[1]})


def test_integrity_finds_a_session_that_was_moved_behind_its_back() -> None:
    seating, sessions = seated(1, 2)
    sessions[0].seat = 1
    with pytest.raises(AssertionError):
        seating.check_integrity(sessions)
    sessions[0].seat = 0
    with pytest.raises(AssertionError):
        seating.check_integrity(sessions[:1])
