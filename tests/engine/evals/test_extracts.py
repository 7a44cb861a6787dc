"""Ways to choose sentences: each gives an order, and all are cut to the same length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.evals.extracts import (
    at_random,
    extracted,
    highlights,
    lead,
    textrank,
    word_counts,
)
from engine.evals.rouge import words
from engine.sentences.highlighter import Highlighter

WAYS = [lead, at_random(0), textrank, word_counts, highlights(Highlighter.load())]
texts = st.lists(st.text(st.sampled_from("abc .,"), max_size=40), max_size=10)


@given(texts, st.integers(0, 30))
def test_every_way_gives_as_many_words_as_are_wanted_if_there_are_so_many(
    sentences: list[str], num_words: int
) -> None:
    for way in WAYS[:-1]:  # highlights leave out what cannot stand alone
        there = sum(len(words(sentence)) for sentence in sentences)
        found = extracted(sentences, way(sentences), num_words)
        assert len(words(found)) == min(num_words, there)


@given(texts)
def test_no_sentence_is_chosen_twice(sentences: list[str]) -> None:
    for way in WAYS:
        order = list(way(sentences))
        assert len(order) == len(set(order)) and set(order) <= set(range(len(sentences)))


def test_the_chosen_come_in_the_order_in_which_they_were_said() -> None:
    assert extracted(["One two.", "Three.", "Four five."], [2, 0], 3) == "One Four five."


def test_textrank_prefers_what_many_sentences_have_to_do_with() -> None:
    said = ["red gates open", "blue gates open", "red gates close", "my cousin sings"]
    assert list(textrank(said))[-1] == 3


def test_word_counts_prefer_what_the_text_repeats() -> None:
    said = ["the garden grows", "a bridge over water", "bridge and water", "water under a bridge"]
    assert list(word_counts(said))[-1] == 0
