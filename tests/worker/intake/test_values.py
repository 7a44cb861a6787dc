"""Times and yes or no are understood as publishers write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.values import finality, seconds


@pytest.mark.parametrize(
    "text",
    ["62.5", "62,5", "+62.5", " 62.5 ", "6.25e1", "00:01:02,500", "0:01:02.5", "1:02.500", "62.5s",
     "62.5 sec", "62500ms", "62500 ms", "PT62.5S", "PT1M2.5S", "P0DT0H1M2.5S"],
)  # fmt: skip
def test_a_time_is_understood_however_it_is_written(text: str) -> None:
    assert seconds(text) == 62.5


@pytest.mark.parametrize(
    "text",
    ["1700000000.5", "1700000000500", "1700000000500000", "1700000000500000000",
     "2023-11-14T22:13:20.5Z", "2023-11-14T22:13:20.500000000Z", "2023-11-14 22:13:20,5",
     "2023-11-14T23:13:20.5+01:00", "2023-11-14T23:13:20.5+0100", "2023-11-14T20:13:20.5-02"],
)  # fmt: skip
def test_the_time_of_day_is_seconds_since_1970(text: str) -> None:
    assert seconds(text) == 1700000000.5


@pytest.mark.parametrize(
    "text",
    ["soon", "inf", "NaN", "1e999", "9" * 5000, "9" * 5000 + ":00", "1_0", "٣", "1:2:3:4", "0:61",
     "1:75:00", "P", "PT", "s", "2023-13-45T99:99", "12 parsecs", "--5", "1,234.5", "", "-"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds(text) is None


@given(st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_captions_and_numbers_say_the_same(time: timedelta) -> None:
    ms = time // timedelta(milliseconds=1)
    clock = f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
    assert seconds(clock) == pytest.approx(ms / 1000)
    assert seconds(f"{ms}ms") == pytest.approx(ms / 1000)


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)))
def test_dates_are_those_of_the_calendar(when: datetime) -> None:
    in_utc = when.replace(tzinfo=timezone.utc)
    assert seconds(in_utc.isoformat()) == pytest.approx(in_utc.timestamp(), abs=1e-5)


@given(st.text())
def test_any_text_is_a_finite_time_or_none(text: str) -> None:
    value = seconds(text)
    assert value is None or abs(value) < float("inf")


@pytest.mark.parametrize(
    "text",
    ["1", "true", "True", "TRUE", "yes", "1.0", "final", "FINAL", "FinalTranscript", "completed",
     "RecognizedSpeech", "speech.phrase", "AddTranscript"],
)  # fmt: skip
def test_services_call_it_final(text: str) -> None:
    assert finality(text) is True


@pytest.mark.parametrize(
    "text",
    ["0", "false", "False", "no", "0.0", "partial", "PARTIAL", "interim", "PartialTranscript",
     "RecognizingSpeech", "speech.hypothesis", "AddPartialTranscript"],
)  # fmt: skip
def test_services_call_it_a_hypothesis(text: str) -> None:
    assert finality(text) is False


@pytest.mark.parametrize("text", ["maybe", "2", "finally", ""])
def test_a_word_for_neither_is_none(text: str) -> None:
    assert finality(text) is None
