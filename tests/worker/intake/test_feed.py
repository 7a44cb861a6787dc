"""The feed gives every token once, in order, and knows whose it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.feed import Feed, Line, line_text

LINES = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=12)


@given(LINES, st.lists(st.integers(1, 7), min_size=80, max_size=80), st.integers(0, 5))
def test_every_token_is_fed_once_in_order(
    lines: list[list[int]], rooms: list[int], position: int
) -> None:
    feed = Feed(position)
    for number, tokens in enumerate(lines):
        feed.publish(Line(str(number), tokens))
        feed.check_integrity()
    fed: list[int] = []
    for room in rooms:
        part = feed.take(room)
        assert len(part) == min(room, sum(map(len, lines)) - len(fed))
        fed += part
        ends = {sum(map(len, lines[:n])) for n in range(len(lines) + 1)}
        assert feed.is_between_lines == (len(fed) in ends)
        assert feed.num_waiting == feed.published - position - len(fed)
    assert fed == [token for tokens in lines for token in tokens]


@given(LINES.filter(any), st.data())
def test_a_position_names_the_entry_whose_line_holds_it(
    lines: list[list[int]], data: st.DataObject
) -> None:
    feed = Feed(7)
    owners = [str(number) for number, tokens in enumerate(lines) for _ in tokens]
    for number, tokens in enumerate(lines):
        feed.publish(Line(str(number), tokens))
    covered = data.draw(st.integers(0, len(owners) - 1))
    feed.forget(7 + covered)
    for index in range(covered, len(owners)):
        assert feed.entry_at(7 + index) == owners[index]


@given(LINES, st.data())
def test_lines_remembered_from_a_snapshot_leave_the_rest_to_feed(
    lines: list[list[int]], data: st.DataObject
) -> None:
    num_seen = data.draw(st.integers(0, len(lines)))
    feed = Feed(0)
    for number, tokens in enumerate(lines):
        line = Line(str(number), tokens)
        if number < num_seen:
            feed.remember(line)
        else:
            feed.publish(line)
    assert feed.take(1000) == [token for tokens in lines[num_seen:] for token in tokens]
    feed.check_integrity()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "hello"}, "\nhello"),
        ({"text": "hello", "speaker": "Ann"}, "\nAnn: hello"),
        ({"text": "there", "speaker": "Ann", "continues": "1"}, " there"),
        ({"text": "", "speaker": "Ann"}, ""),
    ],
)
def test_a_line_of_the_running_text(fields: dict[str, str], text: str) -> None:
    assert line_text(fields) == text
