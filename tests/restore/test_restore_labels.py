"""Written text becomes raw words and what a restorer has to say of each."""

from __future__ import annotations

import numpy as np
import pytest

from engine.restore.marks import CASES, MARKS
from ops.pretrain.corpus import Document, Line
from ops.restore import labels
from ops.restore.labels import UNKNOWN, Word, words_of
from ops.restore.numbers import spoken


class Never:
    """Chance that never says a number in words."""

    def random(self) -> float:
        return 1.0


def learnt(*turns: str) -> list[Word]:
    document = Document("talk", "talk", tuple(Line(None, turn) for turn in turns))
    [words] = words_of([document], Never())  # type: ignore[arg-type]
    return words


def said(words: list[Word]) -> str:
    marks = dict(enumerate(MARKS)) | {UNKNOWN: "*"}
    return " ".join(word.raw + marks[word.mark] for word in words)


def test_words_lose_case_and_marks_and_keep_them_as_labels() -> None:
    words = learnt('Well, "Mr. Smith," he said: who is it? No!')
    assert said(words) == "well, mr. smith, he said: who is it? no!"
    assert [CASES[word.case] for word in words[:4]] == [
        "Capitalised",
        "Capitalised",
        "Capitalised",
        "lower",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I think -- it works.", "i think* it works."),
        ("So... it works.", "so* it works."),
        ("Yes [Laughter.] it works.", "yes it works."),
        ("It is short-term, really.", "it is short-term, really."),
        ("The D_V_D_ works.", "the dvd works."),
    ],
)
def test_what_the_text_does_not_settle_is_not_learnt(text: str, expected: str) -> None:
    assert said(learnt(text)) == expected


def test_a_word_knows_whether_a_sentence_or_a_turn_ended_before_it() -> None:
    words = learnt("Good. We go on,", "as I said.")
    assert [word.raw for word in words if word.is_after_end] == ["good", "we", "as"]
    assert [word.raw for word in words if word.begins_turn] == ["good", "as"]


def test_the_case_of_acronyms_is_upper_and_of_others_unknown() -> None:
    words = learnt("The BBC sold 3 iPhones, I hear.")
    cases = {word.raw: word.case for word in words}
    assert CASES[cases["bbc"]] == "UPPER"
    assert cases["3"] == cases["iphones"] == UNKNOWN
    assert CASES[cases["i"]] == "Capitalised"


@pytest.mark.parametrize(
    ("number", "after", "expected"),
    [
        ("3.5", "", "three point five"),
        ("25,000", "", "twenty five thousand"),
        ("$5.2", "million", "five point two"),
        ("$7", "", "seven dollars"),
        ("12%", "", "twelve percent"),
        ("1998", "", "nineteen ninety eight"),
        ("2005", "", "two thousand five"),
        ("1905", "", "nineteen oh five"),
        ("1900", "", "nineteen hundred"),
        ("110", "", "one hundred ten"),
    ],
)
def test_numbers_are_said_as_people_say_them(number: str, after: str, expected: str) -> None:
    assert spoken(number, after) == expected.split()


def test_what_is_no_number_is_not_said() -> None:
    assert spoken("3rd", "") is None


def test_a_number_that_is_said_keeps_its_mark_at_its_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "SHARE_OF_NUMBERS_SPOKEN", 1.0)
    document = Document("talk", "talk", (Line(None, "We sold 25, then."),))
    [words] = words_of([document], np.random.default_rng(0))
    assert said(words) == "we sold twenty five, then."
