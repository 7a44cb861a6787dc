"""A question finds the sentences that answer it, and no answer where nothing was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.views.search import Found, search
from worker.views.sentences import Sentence

SAID = [
    Sentence(text, speaker, (f"{number}-0",))
    for number, (speaker, text) in enumerate(
        [
            ("Ann", "The gate at Carrow Bridge sticks when the water comes down."),
            ("Bo", "We need sixty litres of diesel a day for the pumps."),
            ("Cy", "I'll buy the batteries for the loudhailer."),
            ("Ann", "The pumps at the mill started well this morning."),
            ("Bo", "Nobody has opened the gate at the mill for years."),
            ("Cy", "The tea is cold."),
        ]
    )
]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Who buys batteries?", 2),
        ("How many litres of diesel do we need?", 1),
        ("Which gate sticks at Carrow?", 0),
        ("What about the tea?", 5),
    ],
)
def test_the_sentence_that_answers_is_found_first(question: str, first: int) -> None:
    assert search(question, SAID, most=2).supports[0] == SAID[first]


@pytest.mark.parametrize(
    "question", ["Who sings the Zanzibar anthem?", "What is the capital of Mongolia?"]
)
def test_what_was_never_named_was_not_said(question: str) -> None:
    assert search(question, SAID, most=2) == Found(is_strange=True)


@pytest.mark.parametrize(
    "question", ["Who?", "What was decided?", "Which action items are there so far?"]
)
def test_a_question_about_the_talk_itself_is_left_to_the_model(question: str) -> None:
    assert search(question, SAID, most=2) == Found()


def test_before_anything_was_said_nothing_is_strange() -> None:
    assert search("Who sings the Zanzibar anthem?", [], most=2) == Found()


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=8), st.integers(1, 4))
def test_what_is_found_was_said(question: str, texts: list[str], most: int) -> None:
    said = [Sentence(text, "", ("1-0",)) for text in texts]
    found = search(question, said, most=most)
    assert len(found.supports) <= most
    assert all(one in said for one in found.supports)
