"""The recipe: what summaries say is worth more, whole talks are held out, shapes keep the words."""

from __future__ import annotations

import gzip
import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from engine.sentences.stored import tokenizer
from ops.salience.data import entries
from ops.salience.evaluate import figures
from ops.salience.fit import Lesson, Table, _ridge, fit
from ops.salience.labels import common_words, labels
from ops.salience.talks import Talk, meetings


def test_a_ridge_regression_is_the_one_that_algebra_gives() -> None:
    chance = np.random.default_rng(0)
    dense = chance.normal(size=(30, 6)) * (chance.random((30, 6)) < 0.5)
    labels, weights = chance.normal(size=30), chance.random(30)
    stiffness = np.array([1.0, 1, 1, 2, 2, 2])
    rows, columns = np.nonzero(dense)
    table = Table(rows, columns, dense[rows, columns], dense.shape)
    normal = dense.T @ (weights[:, None] * dense) + np.diag(stiffness)
    expected = np.linalg.solve(normal, dense.T @ (weights * labels))
    np.testing.assert_allclose(_ridge(table, labels, weights, stiffness), expected, atol=1e-8)


def test_words_that_summaries_have_are_worth_more_than_those_they_have_not() -> None:
    said = ["the budget grows", "yeah okay right", "the budget falls", "okay yeah so"] * 20
    told = labels(said, ["Budget: it grows, it falls."], frozenset({"the"}))
    assert told[:2] == pytest.approx([2 / 2.5, 0])
    worth = fit(tokenizer(), [Lesson(said, told, 1.0)])
    of_budget, of_yeah = worth.salience(tokenizer(), ["a budget of a town", "yeah of a town"])
    assert of_budget > of_yeah


def test_common_words_are_those_that_most_sentences_have() -> None:
    found = common_words(["the a b", "the a", "the", *(f"w{i}" for i in range(300))])
    assert {"the", "a"} <= found and len(found) == 150


def test_meetings_are_read_whole_with_the_summaries_of_the_whole(tmp_path: Path) -> None:
    lines = [{"speaker": "A", "text": "One."}, {"speaker": "A", "text": "Two."}]
    lines.append({"speaker": "B", "text": "Three."})
    _write(tmp_path / "m1.jsonl.gz", lines)
    told = [{"meeting": "m1", "summary": "All.", "turns": None}]
    told.append({"meeting": "m1", "summary": "A part.", "turns": [["0", "1"]]})
    _write(tmp_path / "told.jsonl.gz", told)
    [talk] = meetings(tmp_path / "told.jsonl.gz", tmp_path)
    assert talk == Talk("m1", (("A", "One. Two."), ("B", "Three.")), ("All.",))


def test_about_one_talk_in_five_is_held_out_and_always_the_same() -> None:
    held = [Talk(f"meeting {i}", (), ()).is_held_out for i in range(500)]
    assert 70 < sum(held) < 130
    assert held == [Talk(f"meeting {i}", (), ()).is_held_out for i in range(500)]


@pytest.mark.parametrize("shape", ["whole", "growing", "fragments", "words"])
def test_every_shape_has_the_same_words_of_the_same_speakers(shape: str) -> None:
    turns = (("A", "one two three four five six seven"), ("B", "eight"), ("A", "nine ten"))
    spoken = list(entries(Talk("t", turns, ()), shape))
    settled = [entry for entry in spoken if entry.get("final", "1") == "1"]
    by_speaker = groupby(settled, key=lambda entry: entry["speaker"])
    assert tuple((w, " ".join(e["text"] for e in es)) for w, es in by_speaker) == turns


def test_figures_are_of_what_is_held_out_alone() -> None:
    class ByLength:
        def best_first(self, sentences: list[str]) -> list[int]:
            return sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))

    turns = (("A", " ".join(f"Sentence number {i} of all that was said here." for i in range(30))),)
    names = [name for i in range(40) if Talk(name := f"n{i}", (), ()).is_held_out]
    talks = [Talk(f"n{i}", turns, ("Sentence number 7 was said.",)) for i in range(40)]
    found = figures(ByLength(), {"made up": talks})  # type: ignore[arg-type]
    assert found["made up"]["talks"] == {"number": len(names)}


def _write(path: Path, lines: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
