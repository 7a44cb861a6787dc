"""Captions in and out: whoever wrote them, the words are there once; what we write, others read."""

from __future__ import annotations

import io
from itertools import pairwise

import pysubs2
import pytest
import webvtt
from hypothesis import example, given
from hypothesis import strategies as st

from worker.formats.exports import NoTimes, exported
from worker.formats.pace import times
from worker.formats.reading import read_file
from worker.formats.writing.layout import LINE_WIDTH, MAX_WIDTH, lines, screens, width

# Words of which no captions are made: letters, digits and marks of several scripts, no markup.
WORD = st.text(st.sampled_from("abcxyzÄéßжщאבع09'!?.,"), min_size=1, max_size=12).filter(
    lambda word: any(letter.isalnum() for letter in word)
)
TEXT = st.lists(WORD, min_size=1, max_size=12).map(" ".join).filter(lambda t: len(t) <= MAX_WIDTH)


@st.composite
def captions(draw: st.DrawFn) -> list[tuple[int, int, str]]:
    """(start, end, text) in milliseconds: each has a time of its own, and none overlaps."""
    steps = st.integers(0, 5_000)
    at, found = draw(st.integers(0, 7_200_000)), []
    for text in draw(st.lists(TEXT, min_size=1, max_size=8)):
        start = at + draw(steps)
        at = start + 400 + draw(steps)
        found.append((start, at, text))
    return found


def clock(ms: int) -> str:
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"


def subrip(said: list[tuple[int, int, str]], line_break: str = "\n") -> str:
    blocks = [
        f"{number}\n{clock(start)} --> {clock(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(said, 1)
    ]
    return "\n".join(blocks).replace("\n", line_break)


def entries_of(file: str) -> list[dict[str, str]]:
    return list(read_file(file.encode()).entries)


def export(entries: list[dict[str, str]], format: str) -> str:
    said: list[str] = []
    return "".join(exported(entries, format, "live:a", said.append))


def as_milliseconds(entries: list[dict[str, str]]) -> list[tuple[int, int, str]]:
    found = []
    for fields in entries:
        start, end = times(fields)
        assert start is not None and end is not None
        found.append((round(start * 1000), round(end * 1000), fields["text"]))
    return found


@given(captions(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_subrip_is_read_to_the_millisecond(said: list[tuple[int, int, str]], br: str) -> None:
    assert as_milliseconds(entries_of(subrip(said, br))) == said


@pytest.mark.parametrize("format", ["srt", "vtt"])
@given(said=captions())
def test_captions_come_out_as_they_went_in(said: list[tuple[int, int, str]], format: str) -> None:
    again = entries_of(export(entries_of(subrip(said)), format))
    assert as_milliseconds(again) == said


@given(captions())
def test_others_read_what_we_write(said: list[tuple[int, int, str]]) -> None:
    entries = entries_of(subrip(said))
    theirs = pysubs2.SSAFile.from_string(export(entries, "srt"), format_="srt")
    assert [(e.start, e.end, e.plaintext.replace("\n", " ")) for e in theirs] == said
    cues = webvtt.from_buffer(io.StringIO(export(entries, "vtt")))
    assert [cue.text.replace("\n", " ") for cue in cues] == [text for _, _, text in said]
    assert [cue.start.replace(".", ",") for cue in cues] == [clock(start) for start, _, _ in said]


ENTRY = st.fixed_dictionaries(
    {"text": st.lists(WORD, min_size=1, max_size=60).map(" ".join)},
    optional={
        "start": st.integers(0, 100).map(str),
        "end": st.integers(0, 100).map(str),
        "speaker": st.sampled_from(["Ana", "Bo"]),
        "continues": st.just("1"),
        "final": st.sampled_from(["0", "1"]),
    },
)


@given(st.lists(ENTRY, min_size=1, max_size=12))
@example([{"text": "so", "final": "0"}, {"text": "it is", "start": "0", "continues": "1"}])
@example([{"text": "so", "end": "3", "final": "0"}, {"text": "it", "start": "4", "continues": "1"}])
def test_captions_keep_every_word_and_never_overlap(entries: list[dict[str, str]]) -> None:
    words = [word for fields in entries for word in fields["text"].split()]
    try:
        file = export(entries, "vtt")
    except NoTimes:
        assert not any("start" in fields or "end" in fields for fields in entries)
        return
    cues = list(webvtt.from_buffer(io.StringIO(file)))
    assert [word for cue in cues for word in cue.text.split()] == words
    assert all(len(cue.lines) <= 2 for cue in cues)
    ends = [(cue.start_time.in_seconds(), cue.end_time.in_seconds()) for cue in cues]
    assert all(cue.start <= cue.end for cue in cues)
    assert all(one.end <= other.start for one, other in pairwise(cues)), ends


@given(st.lists(WORD, min_size=1, max_size=80).map(" ".join))
def test_screens_are_the_text_again(text: str) -> None:
    shown = list(screens(text))
    assert "".join(shown) == text
    assert all(width(one.strip()) <= MAX_WIDTH for one in shown)
    assert all(len(lines(one)) <= 2 for one in shown)


@given(st.text("東京の川は、。高い", min_size=1, max_size=200))
def test_scripts_without_blanks_are_cut_between_letters(text: str) -> None:
    shown = list(screens(text))
    assert "".join(shown) == text
    assert all(width(line) <= LINE_WIDTH for one in shown for line in lines(one))


def test_lines_are_cut_where_one_breathes() -> None:
    text = "When the water comes down from Ashby, the gate at the bridge sticks."
    assert lines(text) == [
        "When the water comes down from Ashby,",
        "the gate at the bridge sticks.",
    ]


def test_a_long_utterance_is_shown_sentence_by_sentence() -> None:
    first, second = "The river is at four metres and it rises.", "We open the gate at noon today."
    third = "Whoever has a boat should bring it to the upper lock before that."
    entries = [{"text": f"{first} {second} {third}", "start": "10", "end": "20"}]
    shown = as_milliseconds(entries_of(export(entries, "srt")))
    assert [text for _, _, text in shown] == [f"{first} {second}", third]
    assert shown[0][0] == 10_000 and shown[0][1] == shown[1][0] and shown[1][1] == 20_000
    assert 14_000 < shown[0][1] < 16_500


def test_the_parts_of_an_utterance_are_joined_and_keep_their_times() -> None:
    part = {"text": "w" * 40 + " " + "x" * 39, "start": "0", "end": "4", "final": "0"}
    last = {"text": "y" * 40, "start": "6", "end": "8", "continues": "1", "final": "1"}
    shown = as_milliseconds(entries_of(export([part, last], "srt")))
    assert [text for _, _, text in shown] == [part["text"], last["text"]]
    assert shown[0][:2] == (0, 4000) and shown[1][1] == 8000


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # both at once: each has its share of the time
        ([("aa", "1", "3"), ("bb", "1", "3")], [(1000, 2000), (2000, 3000)]),
        # the second begins before the first has ended
        ([("aa", "1", "5"), ("bb", "3", "6")], [(1000, 3000), (3000, 6000)]),
        # no end: what reading takes, or up to the next
        ([("aa", "1", ""), ("bb", "60", "61")], [(1000, 2000), (60000, 61000)]),
        ([("a" * 60, "1", ""), ("bb", "2", "3")], [(1000, 2000), (2000, 3000)]),
        # no time: in the pause where it was said
        ([("aa", "1", "2"), ("bb", "", ""), ("cc", "9", "10")],
         [(1000, 2000), (2000, 3000), (9000, 10000)]),
        # no time and no pause: of the time of the one before
        ([("aa", "1", "3"), ("bb", "", ""), ("cc", "3", "4")],
         [(1000, 2000), (2000, 3000), (3000, 4000)]),
        # no time before the first
        ([("bb", "", ""), ("cc", "9", "10")], [(8000, 9000), (9000, 10000)]),
        # a recording that counts from 1970 begins at nought
        ([("aa", "1700000000", "1700000002")], [(0, 2000)]),
    ],
)  # fmt: skip
def test_times_are_as_they_were_said(
    entries: list[tuple[str, str, str]], expected: list[tuple[int, int]]
) -> None:
    fields = [{"text": text, "start": start, "end": end} for text, start, end in entries]
    shown = as_milliseconds(entries_of(export(fields, "srt")))
    assert [(start, end) for start, end, _ in shown] == expected


def test_what_is_made_up_is_said() -> None:
    told: list[str] = []
    entries = [{"text": "a", "start": "1700000000", "end": "1700000002"}, {"text": "b"}]
    list(exported(entries, "srt", "live:a", told.append))
    assert told == [
        "1 utterances had no time: theirs lie between their neighbours'",
        "the captions count from 2023-11-14 22:13:20 UTC, the first time that there is",
    ]


def test_captions_of_what_has_no_times_are_refused() -> None:
    with pytest.raises(NoTimes, match="export txt"):
        export([{"text": "a"}], "srt")


def test_names_and_signs_are_not_taken_for_markup() -> None:
    entries = [{"text": "a <b> & c --> d", "speaker": "A<n>a", "start": "1", "end": "2"}]
    [again] = entries_of(export(entries, "vtt"))
    assert (again["text"], again["speaker"]) == ("a <b> & c --> d", "A<n>a")
