"""Lines become entries, whether they are text, objects, or what a recogniser sends."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.formats.lines import BadLine, line_rows, read_line
from worker.formats.rows import LeftOut


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
        ("{curly} text", {"text": "{curly} text"}),
    ],
)
def test_a_line_is_read(line: str, fields: dict[str, str]) -> None:
    assert read_line(line) == [fields]


def test_a_blank_line_is_nothing() -> None:
    assert read_line(" \n") == []


@pytest.mark.parametrize("line", ['{"text": "hi"', "{}", '{ "text": '])
def test_a_broken_object_is_refused(line: str) -> None:
    with pytest.raises(BadLine, match="JSON object"):
        read_line(line)


def test_among_objects_nothing_else_is_said() -> None:
    text = '{"text": "one"}\n"text": "two",\n[3]\n{"text": "four"}\n'
    assert list(line_rows(text)) == [
        {"text": "one"},
        LeftOut("line 2", "not a JSON object"),
        LeftOut("line 3", "not a JSON object"),
        {"text": "four"},
    ]


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        (
            {
                "type": "Results",
                "start": 1.5,
                "duration": 2.0,
                "is_final": False,
                "channel": {"alternatives": [{"transcript": "so", "words": [{"speaker": 1}]}]},
            },
            [{"text": "so", "start": "1.5", "end": "3.5", "final": "false", "speaker": "1"}],
        ),
        (
            {"text": "So. It", "language": "en", "segments": [{"text": "So."}, {"text": "It"}]},
            [{"text": "So.", "lang": "en"}, {"text": "It", "lang": "en"}],
        ),
        ({"type": "UtteranceEnd", "last_word_end": 3.5}, []),
        (
            {"results": [{"alternatives": [{"transcript": "so"}], "isFinal": True}]},
            [{"text": "so", "final": "true"}],
        ),
        (
            {
                "Transcript": {
                    "Results": [
                        {
                            "Alternatives": [{"Transcript": "so"}],
                            "IsPartial": True,
                            "StartTime": 1.5,
                            "EndTime": 3.5,
                            "ResultId": "r",
                        }
                    ]
                }
            },
            [{"text": "so", "start": "1.5", "end": "3.5", "final": "false", "segment": "r"}],
        ),
        (
            {
                "message": "AddPartialTranscript",
                "metadata": {"transcript": "so", "start_time": 1.5, "end_time": 3.5},
            },
            [{"text": "so", "start": "1.5", "end": "3.5", "final": "false"}],
        ),
        ({"partial": "so"}, [{"text": "so", "final": "false"}]),
        (
            {
                "results": [
                    {
                        "alternatives": [{"transcript": "so"}],
                        "is_final": True,
                        "result_end_time": {"seconds": 3, "nanos": 500_000_000},
                    }
                ]
            },
            [{"text": "so", "final": "true", "end": "3.5"}],
        ),
        (
            {
                "type": "Results",
                "channel_index": [1, 2],
                "is_final": True,
                "channel": {"alternatives": [{"transcript": "so"}]},
            },
            [{"text": "so", "final": "true", "channel": "1"}],
        ),
        (
            {
                "result_index": 7,
                "results": [{"alternatives": [{"transcript": "%HESITATION so "}], "final": False}],
            },
            [{"text": "so", "final": "false", "segment": "7"}],
        ),
        (
            {
                "type": "Turn",
                "turn_order": 2,
                "end_of_turn": True,
                "transcript": "so",
                "words": [{"text": "so", "start": 1500, "end": 3500}],
            },
            [{"text": "so", "final": "true", "segment": "2", "start": "1.5", "end": "3.5"}],
        ),
        (
            {"text": "so", "result": [{"word": "so", "start": 1.5, "end": 3.5}]},
            [{"text": "so", "start": "1.5", "end": "3.5"}],
        ),
        (
            {
                "RecognitionStatus": "Success",
                "Offset": 15_000_000,
                "Duration": 20_000_000,
                "DisplayText": "So.",
            },
            [{"text": "So.", "start": "1.5", "end": "3.5"}],
        ),
        (
            {"message_type": "FinalTranscript", "text": "So.", "audio_start": 1500},
            [{"final": "FinalTranscript", "text": "So.", "start": "1500ms"}],
        ),
    ],
)
def test_messages_of_recognisers_are_unwrapped(
    message: dict[str, object], rows: list[dict[str, str]]
) -> None:
    assert read_line(json.dumps(message)) == rows


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
        ('{"text": null}', "no text"),
    ],
)
def test_an_object_that_no_worker_would_take_is_refused(line: str, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        read_line(line)


@given(st.text().map(lambda text: "{" + text))
def test_reading_a_line_raises_nothing_else(line: str) -> None:
    with suppress(BadLine):
        read_line(line)
