"""A summary in quotes says only what was said: the most telling of it, whole, and in its order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Highlighter
from worker.intake.feed import Line
from worker.views.quotes import MAX_KEPT, Chosen, Quote, Quotes, quotable

SAID = [
    "Ann: The committee agreed to change the design of the remote control.",
    "Bo: Um, yeah, I mean, you know, I just don't know, right, okay.",
    "Cy: The budget of the project is twenty thousand euros for the year.",
]
WORDS = st.lists(st.sampled_from(["gate", "the", "water.", "in", "June?", "and"]), max_size=30)
LINES = st.lists(
    st.builds(str.__add__, st.sampled_from(["", "Ann: "]), WORDS.map(" ".join)), max_size=4
)


@cache
def quotes(max_tokens: int = 60) -> Quotes:
    """A word is a token."""
    return Quotes(
        Highlighter.load(), max_tokens=max_tokens, num_tokens=lambda text: len(text.split())
    )


def spoken(lines: Sequence[str]) -> list[Line]:
    """A line each, "Ann: text" of Ann's."""
    found = []
    for number, line in enumerate(lines):
        speaker = line.partition(": ")[0] if ": " in line else ""
        found.append(Line(f"{number}-0", [0], f"\n{line}", speaker))
    return found


def choose(kept: Sequence[Quote], lines: Sequence[str], max_tokens: int, goes_on: bool) -> Chosen:
    return quotes(max_tokens).choose(kept, spoken(lines), goes_on=goes_on)


def rolled(steps: Sequence[Sequence[str]], max_tokens: int) -> Chosen:
    chosen = Chosen("")
    for lines in steps:
        chosen = choose(chosen.kept, lines, max_tokens, goes_on=False)
    return chosen


def words_of(text: str) -> str:
    return " ".join(text.replace("Ann:", "").split())


@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, max_size=4), st.sampled_from([1, 7, 25, 60]))
def test_any_summary_is_what_was_said_in_its_order_within_its_tokens(
    steps: list[list[str]], max_tokens: int
) -> None:
    chosen = rolled(steps, max_tokens)
    said = words_of(" ".join(line for lines in steps for line in lines))
    assert len(chosen.text.split()) <= max_tokens
    assert len(chosen.kept) <= MAX_KEPT + max_tokens
    for quote in (*chosen.text.splitlines(), *(quote.text for quote in chosen.kept)):
        assert words_of(quote) in said


def test_what_is_decided_is_quoted_before_how_one_talks() -> None:
    lines = SAID + [f"Dee: {line[4:]}" for line in SAID[1:2]]
    chosen = choose((), lines, 26, goes_on=False)
    assert chosen.text.splitlines() == [SAID[0], SAID[2]]


def test_every_summary_has_something_new_and_the_best_of_before() -> None:
    first = choose((), [SAID[0], SAID[2]], 26, goes_on=False)
    second = choose(first.kept, [SAID[1]], 26, goes_on=False)
    assert SAID[1] in second.text.splitlines()
    assert {SAID[0], SAID[2]} & {*second.text.splitlines()}
    third = choose(second.kept, ["Ann: Yes."], 26, goes_on=False)
    assert {SAID[0], SAID[2]} <= {quote.line for quote in third.kept}, (
        "what made room may come back"
    )


def test_what_is_repeated_is_quoted_once() -> None:
    lines = [SAID[0], f"Bo: So {SAID[0][5:]}", SAID[2]]
    assert len(choose((), lines, 30, goes_on=False).text.splitlines()) == 2


def test_a_sentence_that_goes_on_is_quoted_when_it_is_over() -> None:
    begun = SAID[2].removesuffix(" for the year.")
    first = choose((), [SAID[0], begun], 60, goes_on=True)
    assert first.text == SAID[0]
    paused = choose((), [begun], 60, goes_on=False)
    assert paused.text == begun
    assert choose(paused.kept, [SAID[2]], 60, goes_on=False).text == SAID[2]


def test_a_sentence_that_alone_is_too_long_is_cut() -> None:
    assert choose((), [SAID[2]], 5, goes_on=False).text == "Cy: The budget of the"


@pytest.mark.parametrize("lines", [[], [""], ["   "]])
def test_of_nothing_nothing_is_quoted(lines: list[str]) -> None:
    assert quotable(spoken(lines), goes_on=False) == []
    assert choose((), lines, 60, goes_on=False).text == ""


def test_short_sentences_are_quoted_if_there_are_no_others() -> None:
    assert choose((), ["Ann: Yes. No."], 60, goes_on=False).text == "Ann: Yes.\nAnn: No."
