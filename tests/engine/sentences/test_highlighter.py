"""A sentence has one salience, whoever is asked about with it; and what people talk about tells
more than how they talk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.sentences.highlighter import Highlighter
from engine.sentences.stored import BUNDLED, load, save, tokenizer
from engine.sentences.words import FORMS, WordWorth

SAID = [
    "The committee agreed to change the design of the remote control for the market.",
    "Um, yeah, I mean, you know, I don't know, so just, right, okay.",
    "We will publish the report on the budget of the project in June.",
    "Okay, I guess you can just go back now, thank you, thank you.",
]


def test_what_was_decided_tells_more_than_how_one_talks() -> None:
    of = dict(zip(SAID, Highlighter.load().salience(SAID), strict=True))
    assert min(of[SAID[0]], of[SAID[2]]) > max(of[SAID[1]], of[SAID[3]])
    assert {*list(Highlighter.load().best_first(SAID))[:2]} == {0, 2}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_a_sentence_has_one_salience_whoever_is_asked_about_with_it(texts: list[str]) -> None:
    highlighter = Highlighter.load()
    alone = [highlighter.salience([text])[0] for text in texts]
    assert highlighter.salience(texts) == alone
    assert all(map(np.isfinite, alone))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    size = tokenizer().get_vocab_size()
    worth = WordWorth(np.arange(size, dtype=np.float32) / 2**16, np.ones(len(FORMS), "f4"), 0.25)
    save(tmp_path, worth)
    found = load(tmp_path).worth
    np.testing.assert_allclose(found.of_pieces, worth.of_pieces, atol=1e-3)
    assert (found.of_forms.tolist(), found.base) == (worth.of_forms.tolist(), 0.25)


@pytest.mark.parametrize("damage", ["empty", "torn", "other"])
def test_a_folder_that_cannot_be_read_is_refused_in_words(tmp_path: Path, damage: str) -> None:
    if damage != "empty":
        for path in BUNDLED.glob("*.*"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        torn = tmp_path / ("model.safetensors" if damage == "torn" else "config.json")
        torn.write_bytes(torn.read_bytes()[:100] if damage == "torn" else b'{"forms": []}')
    with pytest.raises(ConfigError, match=r"python -m ops\.salience"):
        Highlighter.load(tmp_path)
