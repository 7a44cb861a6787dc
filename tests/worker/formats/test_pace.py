"""Entries come when they are due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.formats.pace import Pace


def dues(pace: Pace, *entries: dict[str, str]) -> list[float]:
    return [due for due, _ in pace.due({"text": "x", **fields} for fields in entries)]


def test_without_a_pace_everything_is_due_at_once() -> None:
    assert dues(Pace(), {"text": "a b"}, {"text": "c"}) == [0, 0]


def test_words_per_second() -> None:
    assert dues(Pace(words_per_second=4), {"text": "a b"}, {"text": "c"}) == [0.5, 0.75]


def test_speed_follows_the_times_of_the_talk() -> None:
    entries = ({"end": "2"}, {"start": "3", "end": "6"}, {"start": "7"}, {"text": "untimed"})
    assert dues(Pace(speed=2), *entries) == [0, 2, 2.5, 2.5]


@pytest.mark.parametrize(
    ("start", "end", "later"),
    [
        ("0", "2", "12"),
        ("3600", "3602", "3612"),
        ("01:00:00,000", "01:00:02,000", "01:00:12,000"),
        ("1700000000", "1700000002", "1700000012"),
        ("1700000000000", "1700000002000", "1700000012000"),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:22Z", "2023-11-14T22:13:32Z"),
    ],
)
def test_the_first_time_of_the_file_is_the_start(start: str, end: str, later: str) -> None:
    assert dues(Pace(speed=2), {"start": start, "end": end}, {"start_time": later}) == [1, 6]


@given(
    st.lists(st.fixed_dictionaries({}, optional={"start": st.text(), "end": st.floats().map(str)}))
)
def test_due_times_never_go_back(entries: list[dict[str, str]]) -> None:
    times = dues(Pace(speed=1), *entries)
    assert times == sorted(times)
