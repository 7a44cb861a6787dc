"""Sentences are the text's words, in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sentences.cutting import MAX_WORDS, is_telling, sentences_in

FOUR = ["It is No. 7 of ten.", "I say no.", "So do I.", "He too."]


@given(st.text(st.sampled_from("abA.?!…,;:\"' \n中。！"), max_size=300))
def test_every_character_that_is_no_blank_comes_back_in_its_place(text: str) -> None:
    assert "".join("".join(sentences_in(text)).split()) == "".join(text.split())


@given(st.lists(st.sampled_from(["so", "we,", "go.", "why?", "on"]), max_size=200))
def test_no_sentence_is_longer_than_can_be_quoted(words: list[str]) -> None:
    found = sentences_in(" ".join(words))
    assert all(0 < len(sentence.split()) <= MAX_WORDS for sentence in found)
    assert [word for sentence in found for word in sentence.split()] == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We met. Who came? All!", ["We met.", "Who came?", "All!"]),
        ("Ask Dr. Shah or A. B. today. It was 3.5 k.", None),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("你好吗？我很好。", ["你好吗？", "我很好。"]),
        ("It is No. 7 of ten. I say no. So do I. He too.", FOUR),
        ("At 7 p.m. tomorrow, e.g. there.", ["At 7 p.m. tomorrow, e.g. there."]),
        ("no mark at all", ["no mark at all"]),
        ("  \n ", []),
    ],
)
def test_a_sentence_ends_at_its_mark(text: str, expected: list[str] | None) -> None:
    """Not after a title, an initial, or inside a number."""
    if expected is None:
        expected = ["Ask Dr. Shah or A. B. today.", "It was 3.5 k."]
    assert sentences_in(text) == expected


def test_a_text_without_blanks_can_be_telling() -> None:
    assert not is_telling("Yes, we did.")
    assert is_telling("The gates of the weir stick when water comes.")
    assert is_telling("今天我们讨论了新的遥控器的设计和预算")
