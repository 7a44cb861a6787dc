"""Batches that a stopped training goes on with, and figures that say what is true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.restore.marks import MARKS
from engine.restore.passage import Passage
from engine.restore.spelling import cased
from engine.restore.stored import Habits, save
from ops.restore.baselines import unrestored, usual
from ops.restore.calibrate import NEVER, calibrated
from ops.restore.card import card
from ops.restore.evaluate import figures, restored, streams_of
from ops.restore.figures import all_figures
from ops.restore.labels import UNKNOWN, Word
from ops.restore.prepare import Sample
from ops.restore.recipe import Recipe
from ops.restore.train import Training
from ops.restore.windows import Windows, texts_of
from tests.engine.restore.small import small_encoder, small_punctuator, small_tokenizer

BEGIN, END = 2, 3
RECIPE = Recipe(tokens_per_step=256, max_window_words=20, short_words=8)


def talk(num_words: int) -> list[Word]:
    """Every seventh word has a comma, every fifth a stop, and the next one a capital."""
    words, is_after_end = [], True
    for n in range(num_words):
        mark = 1 if n % 5 == 4 else 2 if n % 7 == 6 else 3 if n % 31 == 30 else 0
        words.append(Word("abcdefg"[n % 7] * 2, mark, int(is_after_end), is_after_end, n % 50 == 0))
        is_after_end = mark in (1, 3)
    return words


def windows(documents: Sequence[list[Word]]) -> Windows:
    return Windows(texts_of(documents, small_tokenizer()), RECIPE, BEGIN, END)


def test_a_pass_holds_every_word_and_those_of_questions_more_often() -> None:
    documents = [talk(300), talk(77)]
    spans = [span for batch in windows(documents).batches(0) for span in batch]
    seen = [word for start, stop, _ in set(spans) for word in range(start, stop)]
    assert sorted(set(seen)) == list(range(377))
    assert len(spans) > len(set(spans))


def test_a_pass_is_the_same_each_time_and_the_next_one_another() -> None:
    one = windows([talk(300)])
    assert one.batches(0) == windows([talk(300)]).batches(0)
    assert one.batches(0) != one.batches(1)


def test_labels_stand_at_the_first_token_of_their_word() -> None:
    documents = [talk(60)]
    batch = windows(documents).tensors([(0, 10, False), (48, 52, True)])
    for row, words in enumerate((documents[0][:10], documents[0][48:52])):
        labels = batch.marks[row][batch.marks[row] != UNKNOWN].tolist()
        assert labels == [word.mark for word in words]
        assert int(batch.tokens[row, 0]) == BEGIN
    assert END in batch.tokens[1].tolist()  # where the turn begins anew
    assert (batch.marks[~batch.is_token] == UNKNOWN).all()


def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    def training(num_words: int) -> Training:
        made = windows([talk(600)])
        return Training(small_encoder(), made, {"talk": made}, RECIPE, tmp_path, num_words)

    first = training(200)
    assert first.run()
    second = training(400)
    assert second.num_learnt == first.num_learnt
    for name, values in first.encoder.state_dict().items():
        assert torch.equal(values, second.encoder.state_dict()[name])
    assert second.run()
    assert second.num_learnt >= 400


def perfect(stream: list[Word]) -> list[tuple[str, ...]]:
    return [
        tuple(
            cased(word.raw, ("lower", "Capitalised", "UPPER")[word.case]) + MARKS[word.mark]
            for word in stream
        )
    ]


def test_what_people_wrote_scores_one_and_what_came_scores_nothing() -> None:
    stream = talk(140)
    truth = iter(perfect(stream)[0])

    def oracle(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
        return [tuple(next(truth) for _ in passage.words) for passage in passages]

    assert set(figures(list(restored([stream], oracle))).values()) == {1.0}
    assert set(figures(list(restored([stream], unrestored))).values()) == {0.0}


@given(st.integers(0, 139))
def test_one_mark_too_many_costs_what_it_should(place: int) -> None:
    stream = talk(140)
    words = list(perfect(stream)[0])
    is_marked = stream[place].mark != 0
    words[place] = stream[place].raw + ("" if is_marked else ",")
    truth = iter(words)

    def nearly(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
        return [tuple(next(truth) for _ in passage.words) for passage in passages]

    num_true = sum(word.mark != 0 for word in stream)
    num_right, num_said = num_true - is_marked, num_true + (-1 if is_marked else 1)
    expected = 2 * num_right / (num_true + num_said)
    assert figures(list(restored([stream], nearly)))["all"] == pytest.approx(expected, abs=0.001)


def test_what_is_usual_is_learnt_from_what_was_said() -> None:
    restore = usual([talk(400)])
    found = figures(list(restored([talk(140)], restore)))
    assert found["capitals"] > 0.0


def test_calibration_leaves_out_rare_marks_and_the_card_says_all_figures(tmp_path: Path) -> None:
    streams = streams_of([talk(200)])
    bias = calibrated(small_punctuator(), streams, 4)
    assert [value for value, mark in zip(bias, MARKS, strict=True) if mark in "!:;" and mark] == [
        NEVER
    ] * 3
    sample = Sample([talk(200)], [talk(200)], [talk(200)])
    save(tmp_path, small_encoder(), small_tokenizer(), Habits(("en",), tuple(bias)))
    found = all_figures(tmp_path, {"talk": sample}, old=None)
    text = card(found, 1000)
    assert "**talk**, 200 words" in text
    assert f"{found['talk']['encoder']['all']:.2f}" in text
