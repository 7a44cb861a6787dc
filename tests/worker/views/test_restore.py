"""Text in, the same words out, written: piece after piece, and nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Desk, Passage
from tests.engine.restore.small import small_punctuator
from worker.views.restore import Restoration, Restorer

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def restorer() -> Iterator[Restorer]:
    restorer = Restorer(Desk(small_punctuator()), clock=lambda: 0.0, took=lambda _: None)
    yield restorer
    restorer.close()


def finish(restoration: Restoration) -> str:
    while (text := restoration.advance()) is None:
        restoration._restorer.wait(PATIENCE_SECONDS)
    return text


def begin(restorer: Restorer, text: str, before: str = "", after: str = "") -> Restoration:
    return restorer.begin(text, before=before, after=after, names={})


def came_back(text: str, written: str) -> bool:
    """The same words in the same order, each with its letters and one mark more at most."""
    pairs = zip(text.split(), written.split(), strict=True)
    return all(w[: len(t)].lower() == t.lower() and len(w) - len(t) < 2 for t, w in pairs)


@settings(max_examples=20, deadline=None)
@given(text=st.text("abcdef 3.$\n", min_size=1, max_size=300).filter(str.strip))
def test_any_text_comes_back_word_by_word(restorer: Restorer, text: str) -> None:
    assert came_back(text, finish(begin(restorer, text)))


def test_two_thousand_words_come_back_and_others_do_not_wait_for_them(restorer: Restorer) -> None:
    text = " ".join(f"word{number}" for number in range(2000))
    long, short = begin(restorer, text), begin(restorer, "good morning")
    assert long.advance() is None
    finish(short)
    assert long.advance() is None
    assert came_back(text, finish(long))


def test_a_long_text_is_what_its_pieces_are_with_what_stands_around_them(
    restorer: Restorer,
) -> None:
    words = tuple(f"w{number}" for number in range(Passage.MAX_WORDS + 10))
    first, second = words[: Passage.MAX_WORDS], words[Passage.MAX_WORDS :]
    punctuator = small_punctuator()
    written = punctuator.restore([Passage(first, after=second)])[0]
    written += punctuator.restore([Passage(second, before=written)])[0]
    assert finish(begin(restorer, " ".join(words))) == " ".join(written)


def test_a_full_desk_is_come_back_to() -> None:
    restorer = Restorer(Desk(small_punctuator(), 1), clock=lambda: 0.0, took=lambda _: None)
    waiting = [begin(restorer, f"good morning {number}") for number in range(5)]
    for restoration in waiting:
        restoration.advance()
    texts = [finish(restoration) for restoration in waiting]
    restorer.close()
    assert all(came_back(f"good morning {n}", text) for n, text in enumerate(texts))


def test_how_long_each_text_took_is_told() -> None:
    took: list[float] = []
    clock = iter(range(100))
    restorer = Restorer(
        Desk(small_punctuator()), clock=lambda: float(next(clock)), took=took.append
    )
    finish(begin(restorer, "good morning"))
    restorer.close()
    assert took == [1.0]


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("good morning everyone", None, True),
        ("good morning everyone", "en-US", True),
        ("guten morgen zusammen", "de", False),
        ("что ты сказал", None, False),
        ("Good morning.", "en", False),
    ],
)
def test_raw_text_is_restored_in_a_language_that_the_encoder_knows(
    restorer: Restorer, text: str, lang: str | None, expected: bool
) -> None:
    assert restorer.wants(text, lang) is expected
