"""No letter is lost, added or replaced: for any word in any script, whatever is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.restore.marks import CASES, MARKS
from engine.restore.spelling import is_raw, letters, plain, spelled

TRAPS = "aZéßöüñçшжλς'’-3.5:$%ŉıİǆǅǄﬁﬀԵևԱ中のสวั"
WORDS = st.text(
    st.one_of(st.sampled_from(TRAPS), st.characters(exclude_categories=["Cs", "Cc", "Z"])),
    min_size=1,
    max_size=12,
).filter(lambda word: len(word.split()) == 1)
NAMES = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4)


def is_same_letter(came: str, went: str) -> bool:
    """Itself, or its only partner in the other case."""
    return came == went or (came.swapcase() == went and went.swapcase() == came)


@given(word=WORDS, case=st.sampled_from(CASES), mark=st.sampled_from(MARKS), names=NAMES)
def test_a_word_comes_back_letter_by_letter_with_at_most_one_mark_more(
    word: str, case: str, mark: str, names: dict[str, str]
) -> None:
    written = spelled(word, case, mark, names)
    assert len(written) - len(word) in (0, 1)
    assert written[len(word) :] in ("", mark)
    assert all(map(is_same_letter, word, written))


@given(word=WORDS, case=st.sampled_from(CASES), mark=st.sampled_from(MARKS))
def test_the_letters_of_a_text_are_those_of_its_written_form(
    word: str, case: str, mark: str
) -> None:
    assert letters(spelled(word, case, mark, {})) == letters(word)


@given(word=WORDS, stranger=WORDS)
def test_a_name_with_other_letters_is_never_written(word: str, stranger: str) -> None:
    written = spelled(word, "lower", "", {word.lower(): stranger})
    assert all(map(is_same_letter, word, written))


@pytest.mark.parametrize(
    ("word", "case", "expected"),
    [
        ("berlin", "Capitalised", "Berlin"),
        ("bbc", "UPPER", "BBC"),
        ("HELLO", "lower", "hello"),
        ("HELLO", "Capitalised", "Hello"),
        ("o'neil", "Capitalised", "O'neil"),
        ("'tis", "Capitalised", "'Tis"),
        ("straße", "UPPER", "STRAßE"),
        ("ﬁne", "Capitalised", "ﬁNe"),
        ("3rd", "Capitalised", "3rd"),
        ("$5", "UPPER", "$5"),
        ("привет", "Capitalised", "Привет"),
    ],
)
def test_a_case_is_one_of_the_whole_word(word: str, case: str, expected: str) -> None:
    assert spelled(word, case, "", {}) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("priya", "Priya"),
        ("priya's", "Priya's"),
        ("priya\u2019s", "Priya\u2019s"),
        ("mcdonald", "McDonald"),
        ("iphone", "iPhone"),
        ("priyanka", "priyanka"),
    ],
)
def test_a_name_of_the_stream_wins_over_the_case(word: str, expected: str) -> None:
    names = {"priya": "Priya", "mcdonald": "McDonald", "iphone": "iPhone"}
    assert spelled(word, "lower", "", names) == expected


def test_a_word_keeps_the_mark_that_it_came_with() -> None:
    assert spelled("etc.", "lower", ",", {}) == "etc."


@pytest.mark.parametrize(
    ("raw", "changed"),
    [
        ("we meet at nine", "We meet at night."),
        ("we meet at nine", "We meet nine."),
        ("we meet at nine", "We will meet at nine."),
        ("it costs 3.5 million", "It costs 35 million."),
        ("straße", "STRASSE"),
        ("ice cream", "Icecream"),
    ],
)
def test_a_changed_word_is_a_changed_letter(raw: str, changed: str) -> None:
    assert letters(changed) != letters(raw)


@pytest.mark.parametrize(
    ("word", "expected"), [("Hello,", "hello"), ("\u201cDon\u2019t\u201d", "don't"), ("...", "")]
)
def test_the_encoder_reads_words_without_case_and_marks(word: str, expected: str) -> None:
    assert plain(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good morning everyone", True),
        ("it costs 3.5 million at 10:30", True),
        ("GOOD MORNING EVERYONE HERE", True),
        ("Good morning everyone", False),
        ("good morning, everyone", False),
        ("OK", False),
        ("A B C D", False),
        ("что ты сказал", True),
        ("これは日本語です", False),
        ("123 456", False),
        ("", False),
    ],
)
def test_raw_text_is_text_with_neither_capitals_nor_marks(text: str, expected: bool) -> None:
    assert is_raw(text) is expected
