"""Whatever a recogniser sends: no word of it is lost, none is said twice, what is settled stays."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.views.settling.recogniser import (
    Recogniser,
    Talk,
    entries,
    read_back,
    talk,
    unique_words,
)
from worker.intake.entries import Entry
from worker.views.settling.part import Part
from worker.views.settling.segments import Segments
from worker.views.settling.words import words_of, written

SEEDS = st.integers(0, 2**40)


def heard(entries: list[Entry], *, by_agreement: bool = True) -> list[Part]:
    """All parts; after each entry the state goes through a checkpoint."""
    segments, parts = Segments(), list[Part]()
    for entry in entries:
        taken = segments.take(entry, by_agreement=by_agreement)
        segments = Segments.from_json(json.loads(json.dumps(taken.segments.to_json())))
        parts += taken.parts
    return parts


def text_of(parts: list[Part]) -> str:
    return " ".join(written(part.words) for part in parts if part.words)


def utterance(rng: random.Random, said: Talk) -> tuple[list[tuple[str, bool]], Recogniser]:
    """Hypotheses that grow and change, some of them sent twice, and the final."""
    recogniser = Recogniser(said, rng, rate=rng.choice((0.0, 0.05, 0.15, 0.3)))
    texts, num, most = [], 0, len(said.spoken)
    for _ in range(rng.randint(0, 2 * most)):
        num = min(most, max(1, num + rng.choice((0, 1, 1, 1, 2, 3, -1))))
        text = recogniser.hypothesis(num, cut=rng.random() < 0.2)
        texts += [(text, False)] * rng.choice((1, 1, 1, 2))
    texts.append((recogniser.hypothesis(most, clean=True), True))
    return texts, recogniser


def check(published: str, said: Talk, recogniser: Recogniser) -> None:
    numbers = read_back(published, said)
    if recogniser.has_doubled:  # it had a word twice, and that may have been settled
        numbers = [number for number, _ in itertools.groupby(numbers)]
    assert numbers == list(range(said.num_words)), published


@settings(max_examples=300)
@given(SEEDS)
def test_each_word_comes_out_once_however_its_recogniser_rewrites_it(seed: int) -> None:
    rng = random.Random(seed)
    said = talk(rng, unique_words(rng))
    texts, recogniser = utterance(rng, said)
    parts = heard(entries(texts, segment=rng.choice(("7", None))))
    check(text_of(parts), said, recogniser)
