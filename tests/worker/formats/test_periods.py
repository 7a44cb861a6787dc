"""Hours and days are chosen from the notes, and every line of them leads back to its note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from worker.formats.noted import Note
from worker.formats.periods import MOST_OF_A_DAY, MOST_OF_AN_HOUR, periods

KINDS = ("topic", "decision", "action", "question", "fact")
STATUSES = ("open", "dropped", "resolved")


def shortest_first(texts: Sequence[str]) -> Iterable[int]:
    """Some of them: those that are too long are not worth naming."""
    return [i for i in sorted(range(len(texts)), key=lambda i: len(texts[i])) if len(texts[i]) < 9]


def note(number: int, kind: str = "fact", status: str = "open") -> Note:
    text = f"said {'x' * (number % 7)} {number}"
    return Note(str(number), kind, text, "Ann", "", (f"{number}-0",), 1, status, "add")


MADE = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.sampled_from(STATUSES), st.integers(0, 40 * 86400).map(float)
    ),
    max_size=60,
)


@given(MADE, st.sampled_from([0.0, 1.7e9]))
def test_every_line_of_a_day_is_a_line_of_one_of_its_hours(
    made: list[tuple[str, str, float]], begin: float
) -> None:
    notes = [note(n, kind, status) for n, (kind, status, _) in enumerate(made)]
    times = {f"{n}-0": begin + at for n, (_, _, at) in enumerate(made)}
    hours = periods(notes, times, "hour", shortest_first)
    days = periods(notes, times, "day", shortest_first)
    in_hours = [one for hour in hours for one in hour.notes]
    in_days = [one for day in days for one in day.notes]
    assert {one.id for one in in_days} <= {one.id for one in in_hours}
    assert {one.id for one in in_hours} <= {one.id for one in notes if one.status != "resolved"}
    assert len({one.id for one in in_hours}) == len(in_hours), "each in one hour"
    num_told = sum(status != "resolved" for _, status, _ in made)
    assert sum(hour.num_notes for hour in hours) == num_told, "and none is in no hour"
    assert sum(day.num_notes for day in days) == num_told
    assert all(0 < len(hour.notes) <= MOST_OF_AN_HOUR for hour in hours)
    assert all(0 < len(day.notes) <= MOST_OF_A_DAY for day in days)
    assert all(
        any(hour.label.startswith(day.label) and set(day.notes) & set(hour.notes) for hour in hours)
        for day in days
    )


def test_what_was_decided_comes_before_what_was_only_said() -> None:
    notes = [note(n) for n in range(30)] + [note(30, "decision"), note(31, "action")]
    times = {one.cites[0]: 60.0 * int(one.id) for one in notes}
    [hour] = periods(notes, times, "hour", shortest_first)
    assert [one.kind for one in hour.notes[-2:]] == ["decision", "action"]
    assert (len(hour.notes), hour.num_notes) == (MOST_OF_AN_HOUR, 32)


def test_a_period_is_named_by_its_clock() -> None:
    at = datetime(2026, 3, 9, 14, 59, tzinfo=timezone.utc).timestamp()
    assert _label("hour", at) == "2026-03-09 14:00"
    assert _label("day", at) == "2026-03-09"
    assert _label("hour", 3700.0) == "day 1, hour 2"
    assert _label("day", 90_000.0) == "day 2"


def _label(by: str, at: float) -> str:
    [period] = periods([note(1)], {"1-0": at}, by, shortest_first)
    return period.label
