"""Lines become entries, and entries come when they are due."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.lines import BadLine, Pace, read_line


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("  Good morning.\n", {"text": "Good morning."}),
        ("\ufeffFirst line", {"text": "First line"}),
        ('{"text": "hi", "speaker": "Ana"}\r\n', {"text": "hi", "speaker": "Ana"}),
        (
            '{"text": "hi", "start": 1.5, "final": false, "lang": null}',
            {"text": "hi", "start": "1.5", "final": "false"},
        ),
        ('{"text": "hi", "tags": ["é"]}', {"text": "hi", "tags": '["é"]'}),
        (" \n", None),
    ],
)
def test_a_line_is_read(line: str, fields: dict[str, str] | None) -> None:
    assert read_line(line) == fields


@pytest.mark.parametrize("line", ['{"text": "hi"', "{curly} text", "{}", '{"text": null}'])
def test_a_broken_object_is_refused(line: str) -> None:
    with pytest.raises(BadLine, match="JSON object"):
        read_line(line)


FIELDS = ", ".join(f'"f{number}": 1' for number in range(9000))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": "half \\ud83d"}', "half a character"),
        ('{"te\\udc00xt": "hi"}', "half a character"),
        ('{"text": "hi", "start": ' + "9" * 5000 + "}", "too many digits"),
        ('{"text": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "nested too deep"),
        (f'{{"text": "hi", {FIELDS}}}', "too many fields: 9001"),
        ('{"speaker": "Ana"}', "no text"),
    ],
)
def test_an_object_that_no_worker_would_take_is_refused(line: str, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        read_line(line)


@given(st.text().map(lambda text: "{" + text))
def test_reading_a_line_raises_nothing_else(line: str) -> None:
    with suppress(BadLine):
        read_line(line)


def dues(pace: Pace, *entries: dict[str, str]) -> list[float]:
    return [due for due, _ in pace.due(entries)]


def test_without_a_pace_everything_is_due_at_once() -> None:
    assert dues(Pace(), {"text": "a b"}, {"text": "c"}) == [0, 0]


def test_words_per_second() -> None:
    assert dues(Pace(words_per_second=4), {"text": "a b"}, {"text": "c"}) == [0.5, 0.75]


def test_speed_follows_the_times_of_the_talk() -> None:
    entries = ({"end": "2"}, {"start": "3", "end": "6"}, {"start": "7"}, {"text": "untimed"})
    assert dues(Pace(speed=2), *entries) == [1, 3, 3.5, 3.5]


@given(
    st.lists(st.fixed_dictionaries({}, optional={"start": st.text(), "end": st.floats().map(str)}))
)
def test_due_times_never_go_back(entries: list[dict[str, str]]) -> None:
    times = dues(Pace(speed=1), *entries)
    assert times == sorted(times)
