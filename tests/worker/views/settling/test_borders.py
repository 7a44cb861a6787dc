"""A recogniser that cuts speech into sentences, and changes its mind where: each word once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.views.settling.recogniser import unique_words
from tests.worker.views.settling.test_settling import NUM_CASES, SEEDS, heard, text_of
from worker.intake.entries import Entry

SHORTEST = 4  # words of a sentence
UNSTABLE = 20  # words at the end, between which the borders may be put otherwise
Said = tuple[int, str, bool]
"""Which sentence it is, counted from 0; its words; whether the recogniser calls it final."""


def rounds(rng: random.Random, words: list[str]) -> Iterator[list[Said]]:
    """Each time all sentences that may still change, as such recognisers send them."""
    begins, num_heard = [0], 0
    while num_heard < len(words):
        num_heard = min(len(words), num_heard + rng.randint(1, 4))
        begins = _cut_again(rng, begins, num_heard)
        ends = [*begins[1:], num_heard]
        stable = max(0, sum(end <= num_heard - UNSTABLE for end in ends))
        sentences = list(enumerate(zip(begins, ends, strict=True)))
        is_over = num_heard == len(words)
        yield [
            (n, " ".join(words[begin:end]), is_over or n < len(begins) - 1 or rng.random() < 0.2)
            for n, (begin, end) in sentences[stable:]
        ]


def _cut_again(rng: random.Random, begins: list[int], num_heard: int) -> list[int]:
    """Borders are put, taken away and moved, where no sentence becomes too short."""
    fixed = [at for at in begins if at <= num_heard - UNSTABLE or at == 0]
    loose = [at for at in begins if at not in fixed]
    if loose and rng.random() < 0.2:
        loose.remove(rng.choice(loose))
    if loose and rng.random() < 0.2:
        at = rng.choice(loose)
        loose[loose.index(at)] = at + rng.choice((-5, -4, 4, 5))
    if rng.random() < 0.35:
        loose.append(num_heard - rng.randint(0, SHORTEST + 2))
    kept = fixed
    for at in sorted(set(loose)):
        if at - kept[-1] >= SHORTEST and num_heard - at >= 1:
            kept = [*kept, at]
    return kept


def entries_of(said: list[list[Said]], naming: str) -> list[Entry]:
    told = [one for update in said for one in update]
    return [
        Entry(
            id=f"{number}-0",
            text=text,
            final=final,
            segment=str(sentence) if naming == "named" else None,
            start=float(sentence),
            end=sentence + 0.1,
        )
        for number, (sentence, text, final) in enumerate(told, 1)
    ]


NAMINGS = pytest.mark.parametrize("naming", ["named", "known by their times"])


def published(rng: random.Random, words: list[str], naming: str) -> Counter[str]:
    return Counter(text_of(heard(entries_of(list(rounds(rng, words)), naming))).split())


@NAMINGS
@settings(max_examples=NUM_CASES // 3)
@given(SEEDS)
def test_no_word_is_lost_wherever_sentences_are_cut(naming: str, seed: int) -> None:
    rng = random.Random(seed)
    words = list(islice(unique_words(rng), 60))
    assert published(rng, words, naming).keys() == set(words)


@NAMINGS
def test_few_words_are_said_twice_wherever_sentences_are_cut(naming: str) -> None:
    """One or two words that move may be others: they are said again. (Of these talks a third of the
    words came twice before moves were followed.)"""
    num_words = num_said = 0
    for seed in range(40):
        rng = random.Random(seed)
        words = list(islice(unique_words(rng), 60))
        num_words += len(words)
        num_said += published(rng, words, naming).total()
    assert num_said - num_words <= num_words // 20


A, B, C = "the water is very high", "it may be possible for us", "to open the gate again"
MOVES = {
    "the end of a sentence becomes the next one": [[f"{A} {B}"], [A, B]],
    "a sentence takes in the next one": [[A, B], [f"{A} {B}"]],
    "one becomes two, and the one after them the third": [[f"{A} {B}", C], [A, B, C]],
    "two become one, and the third the second": [[A, B, C], [f"{A} {B}", C]],
    "three become one": [[A, B, C], [f"{A} {B} {C}"]],
    "one becomes three": [[f"{A} {B} {C}"], [A, B, C]],
    "back and forth": [[f"{A} {B}"], [A, B], [f"{A} {B}"], [A, B], [A, B, C]],
    "and two of them in between": [[A, B, C], [f"{A} {B}", C], [A, f"{B} {C}"], [A, B, C]],
}


@NAMINGS
@pytest.mark.parametrize("story", MOVES)
def test_a_sentence_that_moves_is_said_once(story: str, naming: str) -> None:
    said = [[(n, text, True) for n, text in enumerate(update)] for update in MOVES[story]]
    assert text_of(heard(entries_of(said, naming))) == " ".join(MOVES[story][-1])


def test_words_of_a_name_that_is_given_up_are_not_said_again() -> None:
    """Its hypothesis had them pending, and by now they are another sentence's."""
    said = [
        [(0, A, True), (1, B, False)],
        [(0, f"{A} {B}", True), (1, C, False)],
        [(0, f"{A} {B}", True), (1, C, False)],
        [(0, f"{A} {B}", True), (1, C, True)],
    ]
    assert text_of(heard(entries_of(said, "named"))) == f"{A} {B} {C}"


@NAMINGS
@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=8), st.randoms())
def test_a_refrain_is_no_move(naming: str, refrains: list[str], rng: random.Random) -> None:
    """Nobody takes it back, so it was said again."""
    said: list[list[Said]] = []
    for number, text in enumerate(refrains):
        words = text.split()
        growing = sorted(rng.sample(range(1, len(words)), 2))
        said += [[(number, " ".join(words[:end]), False)] for end in growing]
        said += [[(number, text, True)]]
    assert text_of(heard(entries_of(said, naming))) == " ".join(refrains)
