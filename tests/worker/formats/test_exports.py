"""A transcript as a file is the transcript: its words in order, joined as they were said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.formats.exports import exported
from worker.formats.reading import read_file

TALK = [
    {"entry": "1-0", "text": "The river is", "speaker": "Ana", "start": "1.0", "end": "2.0",
     "final": "0", "segment": "s", "mood": "calm"},
    {"entry": "2-0", "text": "at four metres.", "speaker": "Ana", "start": "2.0", "end": "3.5",
     "final": "1", "segment": "s", "continues": "1", "joined": "space", "restored": "1"},
    {"entry": "3-0", "text": "We open", "speaker": "Bo", "start": "4.0", "end": "5.0",
     "final": "1"},
    {"entry": "4-0", "text": "the *gate*.", "speaker": "Bo", "start": "5.0", "end": "6.0",
     "final": "1", "joined": "space"},
    {"entry": "5-0", "text": "", "final": "1", "end_of_stream": "1"},
]  # fmt: skip


def export(format: str, entries: list[dict[str, str]] = TALK) -> str:
    return "".join(exported(entries, format, "live:a", lambda told: None))


def test_text_has_a_sentence_on_a_line() -> None:
    assert export("txt") == "Ana: The river is at four metres.\nBo: We open the *gate*.\n"


def test_markdown_has_a_paragraph_for_each_turn() -> None:
    assert export("md") == (
        "# live:a\n"
        "\n**Ana** (0:00:01): The river is at four metres.\n"
        "\n**Bo** (0:00:04): We open the \\*gate\\*.\n"
    )


def test_json_lines_have_an_utterance_each() -> None:
    rows = [json.loads(line) for line in export("jsonl").splitlines()]
    assert rows[0] == {
        "text": "The river is at four metres.",
        "entry": "1-0",
        "speaker": "Ana",
        "segment": "s",
        "mood": "calm",
        "start": 1.0,
        "end": 3.5,
    }
    assert [row["text"] for row in rows[1:]] == ["We open", "the *gate*."]


def test_json_is_the_same_in_one_document() -> None:
    document = json.loads(export("json"))
    rows = [json.loads(line) for line in export("jsonl").splitlines()]
    assert document == {"stream": "live:a", "entries": rows}


@pytest.mark.parametrize("format", ["json", "jsonl", "srt", "vtt"])
def test_what_is_exported_can_be_published_again(format: str) -> None:
    reading = read_file(export(format).encode())
    assert reading.format == format and not reading.left_out
    words = " ".join(fields["text"] for fields in reading.entries)
    assert words == "The river is at four metres. We open the *gate*."
    assert [fields["speaker"] for fields in reading.entries] == ["Ana", "Bo", "Bo"]


def test_scripts_without_blanks_are_joined_without() -> None:
    parts = [
        {"text": "川は", "final": "0"},
        {"text": "高い。", "final": "1", "continues": "1", "joined": "tight"},
    ]
    assert export("txt", parts) == "川は高い。\n"


def test_words_of_all_parts_and_what_the_last_says_are_kept() -> None:
    parts = [
        {"entry": "1-0", "text": "So", "words": '[{"word": "so"}]', "final": "0"},
        {"entry": "2-0", "text": "it", "words": '[{"word": "it"}]', "final": "1", "continues": "1",
         "confidence": "0.9"},
    ]  # fmt: skip
    assert json.loads(export("jsonl", parts)) == {
        "text": "So it",
        "entry": "1-0",
        "words": '[{"word": "so"}, {"word": "it"}]',
        "confidence": "0.9",
    }


def test_an_end_that_comes_later_is_the_utterance_s() -> None:
    parts = [
        {"text": "So", "start": "1", "final": "0"},
        {"text": "", "end": "4", "final": "1", "continues": "1"},
    ]
    assert json.loads(export("jsonl", parts)) == {"text": "So", "start": 1.0, "end": 4.0}


@pytest.mark.parametrize("format", ["txt", "md", "srt", "vtt", "json", "jsonl"])
def test_of_nothing_there_is_nothing(format: str) -> None:
    empty = {
        "md": "# live:a\n",
        "vtt": "WEBVTT\n\n",
        "json": '{"stream": "live:a", "entries": [\n]}\n',
    }
    assert export(format, []) == empty.get(format, "")


PART = st.fixed_dictionaries(
    {
        "text": st.lists(st.sampled_from(["so", "it", "goes.", "on", "#1", "_x_"]), max_size=5).map(
            " ".join
        )
    },
    optional={
        "continues": st.just("1"),
        "joined": st.just("space"),
        "final": st.sampled_from(["0", "1"]),
        "speaker": st.sampled_from(["Ana", "Bo"]),
        "start": st.integers(0, 9).map(str),
    },
)


@given(st.lists(PART, max_size=8))
def test_no_word_is_lost_or_said_twice(entries: list[dict[str, str]]) -> None:
    words = [word for fields in entries for word in fields["text"].split()]
    plain = [line.partition(": ")[2] or line for line in export("txt", entries).splitlines()]
    assert " ".join(plain).split() == words
    rows = [json.loads(line) for line in export("jsonl", entries).splitlines()]
    assert " ".join(row["text"] for row in rows).split() == words
