"""No letter can be lost, added or replaced: for any text, whatever the model would rather write."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import GrammarConstraint, Grammars, Tokenizer
from engine.model.source import BUNDLED
from worker.views.letters import (
    grammar,
    is_raw,
    letters,
    pieces,
    written_forms,
)

SPOKEN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzéßöüñçшжλ'’-3.5:$%&()|*?+[]{}^\\ "))
ANY = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(BUNDLED)


@pytest.fixture(scope="module")
def grammars(tokenizer: Tokenizer) -> Grammars:
    return Grammars(tokenizer)


def write_at_random(constraint: GrammarConstraint, tokenizer: Tokenizer, seed: int) -> str:
    """What a model without any sense would write under the constraint."""
    chance = random.Random(seed)
    written: list[int] = []
    while not constraint.is_complete:
        token_id = chance.choice(list(constraint.allowed().ids))
        constraint.accept(token_id)
        if token_id not in tokenizer.eos_ids:
            written.append(token_id)
    return tokenizer.decode(written)


@given(raw=st.one_of(SPOKEN, ANY).filter(str.strip), seed=st.integers(0, 2**32))
def test_any_model_writes_exactly_the_letters_that_came_in(
    tokenizer: Tokenizer, grammars: Grammars, raw: str, seed: int
) -> None:
    constraint = grammars.regex(grammar(raw))
    written = write_at_random(constraint, tokenizer, seed)
    assert letters(written) == letters(raw)
    assert len(written.split()) == len(raw.split())


@given(raw=st.text(st.sampled_from("abcdefg '"), min_size=1).filter(str.strip))
def test_the_text_as_it_came_is_always_possible(
    tokenizer: Tokenizer, grammars: Grammars, raw: str
) -> None:
    normal = " ".join(raw.split())
    constraint = grammars.regex(grammar(normal))
    for token_id in tokenizer.encode(normal):
        assert token_id in constraint.allowed().ids
        constraint.accept(token_id)
    assert tokenizer.eos_ids & set(constraint.allowed().ids)


def test_a_grammar_engine_that_fails_ends_the_decode_and_raises_nothing(
    tokenizer: Tokenizer, grammars: Grammars
) -> None:
    constraint = grammars.regex(grammar("good morning"))
    constraint.accept(tokenizer.encode("zebra")[0])  # not allowed: the engine gives up
    assert constraint.is_complete
    assert constraint.allowed().ids


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


@given(word=ANY.filter(lambda text: len(text.split()) == 1))
def test_every_written_form_has_the_letters_of_its_word(word: str) -> None:
    word = word.strip()
    assert all(letters(form) == letters(word) for form in written_forms(word))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good morning everyone", True),
        ("it costs 3.5 million at 10:30", True),
        ("Good morning everyone", False),
        ("good morning, everyone", False),
        ("что ты сказал", True),
        ("これは日本語です", False),
        ("123 456", False),
        ("", False),
    ],
)
def test_raw_text_is_text_with_neither_capitals_nor_marks(text: str, expected: bool) -> None:
    assert is_raw(text) is expected


@given(raw=ANY, max_words=st.integers(1, 5), max_bytes=st.integers(8, 64))
def test_pieces_hold_every_word_in_order(raw: str, max_words: int, max_bytes: int) -> None:
    cut = pieces(raw, max_words=max_words, max_bytes=max_bytes)
    if cut is None:
        assert any(len(word.encode()) + 1 > max_bytes for word in raw.split())
        return
    assert " ".join(cut).split() == raw.split()
    assert all(len(p.split()) <= max_words and len(p.encode()) < max_bytes for p in cut)
