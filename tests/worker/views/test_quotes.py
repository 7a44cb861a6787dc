"""A summary in quotes says only what was said, whatever the model would rather write."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.views.quotes import MAX_OLD, MAX_QUOTES, MIN_NEW, Quote, QuoteConstraint, offered

OTHER_WORDS = ["mother", "garden", "ticket", "camera", "guitar", "blanket"]
END = 0
LINE_END = 1
QUOTES = st.lists(
    st.tuples(st.lists(st.integers(2, 5), min_size=1, max_size=6), st.booleans()),
    min_size=1,
    max_size=8,
    unique_by=lambda quote: tuple(quote[0]),
)


@given(QUOTES, st.integers(1, 30), st.integers(0, 2**32))
def test_any_model_writes_whole_quotes_in_order_within_its_tokens(
    drawn: list[tuple[list[int], bool]], max_tokens: int, seed: int
) -> None:
    drawn = sorted(drawn, key=lambda quote: not quote[1])
    quotes = [Quote((*tokens, LINE_END), is_old) for tokens, is_old in drawn]
    stop = frozenset({END})
    try:
        constraint = QuoteConstraint(quotes, stop=stop, max_tokens=max_tokens)
    except ValueError:
        assert all(quote.is_old or len(quote.tokens) > max_tokens for quote in quotes)
        return
    chance = random.Random(seed)
    written: list[int] = []
    while not constraint.is_complete:
        token = chance.choice(sorted(constraint.allowed().ids))
        constraint.accept(token)
        written += [token] if token != END else []
    assert len(written) <= max_tokens
    chosen = _cut(written)
    places = [[quote.tokens for quote in quotes].index(part) for part in chosen]
    assert places == sorted(set(places))
    is_old = [quotes[place].is_old for place in places]
    assert not all(is_old), "something new is said"
    assert sum(is_old) <= MAX_OLD
    assert len(chosen) <= MAX_QUOTES


def _cut(written: list[int]) -> list[tuple[int, ...]]:
    parts: list[tuple[int, ...]] = []
    rest = list(written)
    while rest:
        length = rest.index(LINE_END) + 1
        parts.append(tuple(rest[:length]))
        del rest[:length]
    return parts


@given(st.lists(st.text(st.sampled_from("abcde .?!:é\n"), max_size=80), max_size=8))
def test_what_is_offered_was_said(lines: list[str]) -> None:
    said = " ".join(" ".join(line.split()) for line in lines)
    for sentence in offered(lines):
        _, _, words = sentence.rpartition(": ")
        assert " ".join(words.split()) in said


def test_what_the_text_repeats_is_offered_before_what_it_says_in_passing() -> None:
    lines = [
        "Bo: The gates at the weir must open before the river reaches the bridge.",
        "Ann: If the gates of the weir stick, the river floods the bridge again.",
        "Bo: How do we open the gates of the weir before the river floods?",
        *(f"Cy: My {word} was on its own all day long." for word in OTHER_WORDS),
    ]
    chosen = offered(lines)
    assert lines[0] in chosen
    assert lines[1] in chosen
    assert lines[2] not in chosen, "a question tells nothing"


@pytest.mark.parametrize("lines", [[], [""], ["   "]])
def test_of_nothing_nothing_is_offered(lines: list[str]) -> None:
    assert offered(lines) == []


@given(st.integers(0, 2**32))
def test_several_new_quotes_are_chosen_if_they_fit(seed: int) -> None:
    quotes = [Quote((2, 3 + n, LINE_END), n == 0) for n in range(7)]
    constraint = QuoteConstraint(quotes, stop=frozenset({END}), max_tokens=99)
    chance = random.Random(seed)
    written: list[int] = []
    while not constraint.is_complete:
        written.append(chance.choice(sorted(constraint.allowed().ids)))
        constraint.accept(written[-1])
    assert len({token - 3 for token in written if token > 3}) >= MIN_NEW
