"""Perplexity by number of sinks is that of `stream_logits`, whatever else is read beside it."""

from __future__ import annotations

import json
import math
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.evals.sinks import Choice, Sinks, run
from engine.evals.sinks_report import print_sinks
from engine.evals.texts import Texts
from engine.evaluate import stream_logits
from engine.text.tokenizer import Tokenizer

TEXT = "The gauge by the bridge was read at six, and again at seven.\n" * 12


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def choice(model: Path, text: Path, **options: Any) -> Choice:
    defaults = {"sinks": [0, 1, 3], "sizes": [9, 14], "max_tokens": 600, **options}
    return Choice(EngineConfig(str(model)), Texts((text,)), **defaults)


def test_every_cell_is_the_perplexity_of_stream_logits(
    model_directory: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = choice(model_directory, text)
    results = run(asked)
    print_sinks(results, asked)
    tokenizer = Tokenizer.load(str(model_directory))
    token_ids = [tokenizer.hf.bos_token_id, *tokenizer.encode(TEXT)][:600]
    cells = json.loads(capsys.readouterr().out.splitlines()[-1])["windows"]
    for sinks in results:
        logits = stream_logits(
            str(model_directory),
            token_ids[:-1],
            num_sinks=sinks.num_sinks,
            num_recent=sinks.size - sinks.num_sinks,
            chunk=50,
        )
        expected = cross_entropy(logits[14:], torch.tensor(token_ids[15:])).item()
        assert math.isclose(sinks.total.loss, expected, abs_tol=1e-5)
        assert sinks.total.count == 599 - 14
        cell = cells[str(sinks.size)][str(sinks.num_sinks)]
        assert cell["perplexity"] == round(sinks.total.perplexity, 4)


def test_what_all_had_read_counts_when_it_is_stopped(model_directory: Path, text: Path) -> None:
    asked = count()
    results = run(choice(model_directory, text), is_stopped=lambda: next(asked) >= 1)
    assert {sinks.total.count for sinks in results} == {2 * 256 - 14}


def test_the_gain_is_paired_by_chunk() -> None:
    better, worse = Sinks(1, 9), Sinks(0, 9)
    for level in (1.0, 5.0, 3.0):
        better.add(torch.full((4,), level))
        worse.add(torch.full((4,), level + 0.5))
    assert better.gain_over(worse) == (0.5, 0.0)
    assert worse.gain_over(better) == (-0.5, 0.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sinks": [-1]}, r"sinks=\[-1\]"),
        ({"sizes": [3]}, r"windows=\[3\] is not valid: use more than 3"),
        ({"max_tokens": 15}, "max_tokens=15 is not valid: use more than 15"),
    ],
)
def test_wrong_argument_is_named(
    model_directory: Path, text: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        choice(model_directory, text, **wrong)


def test_a_text_within_the_window_is_refused(model_directory: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("Rain.")
    with pytest.raises(ConfigError, match="no token past the largest window of 14"):
        run(choice(model_directory, short))
