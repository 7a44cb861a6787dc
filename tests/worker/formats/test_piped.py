"""A pipe is read as it comes: its first line says what it is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from worker.formats.piped import piped
from worker.formats.rows import BadFile, LeftOut

SAMPLES = Path(__file__).parent / "samples"


def test_text_is_a_line_each() -> None:
    what, entries = piped(io.BytesIO(b"one\n\n  two\r\n{three}"))
    assert what == "lines of text"
    assert list(entries) == [{"text": "one"}, {"text": "two"}, {"text": "{three}"}]


def test_among_objects_other_lines_are_left_out() -> None:
    what, entries = piped(
        io.BytesIO(b'\xef\xbb\xbf{"text": "one"}\ntwo\n{"transcript": "three"}\n')
    )
    assert what == "JSON lines"
    expected = [{"text": "one"}, LeftOut("line 2", "not a JSON object"), {"text": "three"}]
    assert list(entries) == expected


def test_a_line_that_is_not_utf_8_is_left_out() -> None:
    _, entries = piped(io.BytesIO(b"one\n\xff\ntwo"))
    assert list(entries) == [{"text": "one"}, LeftOut("line 2", "not UTF-8"), {"text": "two"}]


def test_numbers_may_be_said() -> None:
    _, entries = piped(io.BytesIO(b"1\n\n2\nthree\n"))
    assert list(entries) == [{"text": "1"}, {"text": "2"}, {"text": "three"}]


def test_a_list_in_one_line_is_a_document() -> None:
    with pytest.raises(BadFile, match="one JSON document"):
        piped(io.BytesIO(b'[{"text": "one"}, {"text": "two"}]'))


def test_nothing_is_nothing() -> None:
    assert list(piped(io.BytesIO())[1]) == []


@pytest.mark.parametrize(
    "name", ["plain.srt", "zoom.vtt", "youtube.sbv", "whisper.json", "faster_whisper.json"]
)
def test_what_must_be_looked_at_whole_is_refused_before_a_word_is_published(name: str) -> None:
    with (SAMPLES / name).open("rb") as file, pytest.raises(BadFile, match="give the file itself"):
        piped(file)
