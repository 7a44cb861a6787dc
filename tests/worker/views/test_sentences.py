"""Sentences are what was said, word for word, whatever the entries are that it came in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.feed import Line, line_text
from worker.views.sentences import Sentence, sentences

# A talk as it was said: speakers, and the sentences of each of their turns.
TALK = [
    ("Ann", ["The gate at Carrow Bridge sticks.", "Dr. Bo says 3.5 metres, no more."]),
    ("Bo", ["Who has the key?"]),
    ("Ann", ["I don't know!", "We ask Mr. Cy at 7 p.m. tomorrow."]),
]


def lines_of(talk: list[tuple[str, list[str]]], sizes: list[int]) -> tuple[list[Line], dict]:
    """In entries of so many words, one size after the other; and the entry of every word."""
    lines, entry_of, number, spoken = list[Line](), dict[int, str](), 0, ""
    place = 0
    for speaker, said in talk:
        words = " ".join(said).split()
        while words:
            size = sizes[number % len(sizes)]
            fields = {"text": " ".join(words[:size]), "speaker": speaker}
            fields |= {"joined": "space"} if speaker == spoken else {}
            entry = f"{number + 1}-0"
            lines.append(Line(entry, [0], line_text(fields), speaker))
            for _ in words[:size]:
                entry_of[place] = entry
                place += 1
            words, number, spoken = words[size:], number + 1, speaker
    return lines, entry_of


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_the_same_talk_has_the_same_sentences_in_whatever_entries_it_comes(
    sizes: list[int],
) -> None:
    lines, entry_of = lines_of(TALK, sizes)
    found = sentences(lines)
    assert [one.text for one in found] == [text for _, said in TALK for text in said]
    assert [one.speaker for one in found] == [who for who, said in TALK for _ in said]
    place = 0
    for one in found:
        places = range(place, place + one.num_words)
        assert list(one.entries) == list(dict.fromkeys(entry_of[at] for at in places))
        place += one.num_words


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Ann", "Bo", ""]),
            st.text(st.sampled_from("ab. ?!,。今\u2028:é"), min_size=1, max_size=30),
        ),
        max_size=6,
    )
)
def test_no_letter_is_added_or_lost(said: list[tuple[str, str]]) -> None:
    lines = [
        Line(f"{n}-0", [0], line_text({"text": text, "speaker": speaker}), speaker)
        for n, (speaker, text) in enumerate(said)
    ]
    found = "".join(one.text for one in sentences(lines))
    assert "".join(found.split()) == "".join("".join(text for _, text in said).split())


def test_a_sentence_that_has_begun_is_known_as_such() -> None:
    lines, _ = lines_of([("Ann", ["It sticks.", "When the water"])], [9])
    assert [one.is_whole for one in sentences(lines)] == [True, False]
    lines, _ = lines_of([("Ann", ["When the water"]), ("Bo", ["What?"])], [9])
    assert [one.is_whole for one in sentences(lines)] == [True, True]


def test_a_text_without_marks_is_cut_where_it_pauses() -> None:
    words = [f"w{n}," if n % 20 == 19 else f"w{n}" for n in range(100)]
    lines, _ = lines_of([("Ann", [" ".join(words)])], [4])
    found = sentences(lines)
    assert [one.num_words for one in found] == [40, 40, 20]
    assert all(one.text.endswith(",") for one in found)


@pytest.mark.parametrize(
    ("text", "num"), [("今日はいい天気です。明日は雨です。", 2), ("ok... then e.g. this", 2)]
)
def test_other_marks(text: str, num: int) -> None:
    found = sentences([Line("1-0", [0], f"\n{text}", "")])
    assert [len(found), found[0].entries] == [num, ("1-0",)]


def test_of_nothing_there_are_none() -> None:
    assert sentences([]) == list[Sentence]()
