"""ROUGE, against values that are worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evals.rouge import rouge

texts = st.text(st.sampled_from("ab ."), max_size=20)


@pytest.mark.parametrize(
    ("text", "reference", "one", "two", "longest"),
    [
        # 5 of 6 words; the cat | on the, the mat: 3 of 5 pairs; the cat on the mat.
        ("The cat sat on the mat.", "the cat lay on the mat", 5 / 6, 3 / 5, 5 / 6),
        # "a" counts once: 1 of 3 and 1 of 2; no pair; 1 in order.
        ("a a a", "a b", 2 / 5, 0.0, 2 / 5),
        # All words, in the other order: one in order.
        ("one two", "two one", 1.0, 0.0, 0.5),
        ("€25,000 in 2024", "25 000", 2 * 2 / 6, 2 * 1 / 4, 2 * 2 / 6),
        ("", "a b", 0.0, 0.0, 0.0),
        ("Ångström ß", "ångström ß", 1.0, 1.0, 1.0),
    ],
)
def test_overlaps_are_those_that_are_counted_by_hand(
    text: str, reference: str, one: float, two: float, longest: float
) -> None:
    found = rouge(text, reference)
    assert (found.one, found.two, found.longest) == pytest.approx((one, two, longest))


@given(texts, texts)
def test_it_is_the_same_both_ways_and_whole_for_the_same_text(text: str, other: str) -> None:
    assert rouge(text, other) == rouge(other, text)
    if text.strip(" ."):
        assert rouge(text, text).one == rouge(text, text).longest == 1
