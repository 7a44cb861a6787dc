"""The one table: each format's bytes are its engine's, its perplexity that of the definition."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from engine.config import EngineConfig
from engine.errors import ConfigError, ModelRefused
from engine.evals.number_formats import FORMATS, Comparison, Figures, Trial, run
from engine.evals.number_formats_report import change, print_formats
from engine.evals.texts import Texts
from engine.model.load import load
from engine.model.lone_stream import LoneStream
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer
from tests.engine.weights.int8_products import (
    needs_products,
    with_instructions,
    without_instructions,
)
from tests.engine.weights.torchao_missing import without_torchao

TEXT = "The gauge by the bridge was read at six, and again at seven.\n" * 6


@pytest.fixture
def trial(model_directory: Path, tmp_path: Path) -> Trial:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    few = {"max_tokens": 300, "rounds": 1, "fed_per_turn": 20, "decoded_per_turn": 3}
    return Trial(str(model_directory), "cpu", Texts((text,)), num_sinks=2, num_recent=14, **few)


@pytest.fixture
def comparison(trial: Trial) -> Comparison:
    return run(trial)


@pytest.fixture
def results(comparison: Comparison) -> Mapping[str, Figures]:
    return comparison.figures


def test_perplexity_is_that_of_a_stream_in_the_same_formats(
    trial: Trial, results: Mapping[str, Figures]
) -> None:
    tokenizer = Tokenizer.load(trial.model)
    token_ids = [tokenizer.hf.bos_token_id, *tokenizer.encode(TEXT)][:300]
    for name in ("float32", "KV int8", "weights int4"):
        model = load(EngineConfig(trial.model, **FORMATS[name]))  # type: ignore[arg-type]
        stream = LoneStream(model, Window(2, 14))
        logits = torch.cat([stream.feed(token_ids[:256]), stream.feed(token_ids[256:-1])])
        expected = cross_entropy(logits, torch.tensor(token_ids[1:])).item()
        assert math.isclose(results[name].loss, expected, abs_tol=1e-5)
        assert results[name].num_tokens == 299


def test_bytes_are_exact(results: Mapping[str, Figures]) -> None:
    # layers x (key + value) x KV heads x bytes x slots
    def row(bytes_of_a_vector: int) -> int:
        return 2 * 2 * 2 * bytes_of_a_vector * 16

    rows = {name: figures.bytes_per_row for name, figures in results.items()}
    assert rows["float32"] == rows["weights int8"] == rows["weights int4"] == row(8 * 4)
    assert rows["bfloat16"] == rows["KV bfloat16"] == rows["KV float16"] == row(8 * 2)
    assert rows["KV int8"] == rows["KV, weights int8"] == rows["bfloat16, both int8"] == row(8 + 4)
    weights = {name: figures.weight_bytes for name, figures in results.items()}
    assert weights["bfloat16"] == weights["float32"] // 2
    assert weights["KV int8"] == weights["KV bfloat16"] == weights["float32"]
    assert max(weights["weights int8"], weights["weights int4"]) < weights["float32"]
    both = results["KV, weights int8"]
    assert both.bytes_of(16) == weights["weights int8"] + 16 * row(8 + 4)


def test_everything_is_printed_and_the_last_line_is_json(
    trial: Trial, comparison: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    print_formats(comparison, trial)
    printed = capsys.readouterr().out
    summary = json.loads(printed.splitlines()[-1])
    results = comparison.figures
    assert list(summary["formats"]) == list(results)
    assert {*summary["formats"], *summary["left_out"]} == set(FORMATS)
    for name, figures in results.items():
        assert f"{figures.perplexity:,.3f}" in printed
        assert figures.fed_per_second > 0
        assert figures.decoded_per_second > 0
        found = summary["formats"][name]
        assert found["bytes_of_16_streams"] == figures.bytes_of(16)
        assert found["change_of_perplexity"] == round(change(figures, results), 5)
    assert summary["formats"]["float32"]["change_of_perplexity"] == 0


def test_without_torchao_its_formats_are_left_out_in_one_line(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_torchao(monkeypatch)
    with_instructions(monkeypatch)
    comparison = run(trial)
    needing = [name for name, formats in FORMATS.items() if "weight_dtype" in formats]
    assert list(comparison.figures) == [name for name in FORMATS if name not in needing]
    print_formats(comparison, trial)
    printed = capsys.readouterr().out
    what_to_do = "weight_dtype='int8' and 'int4' need torchao: pip install 'weir[quantized]'."
    assert f"\nWithout {'; '.join(needing)}: {what_to_do}\n" in printed
    assert json.loads(printed.splitlines()[-1])["left_out"] == dict.fromkeys(needing, what_to_do)


def test_without_instructions_computing_in_int8_is_left_out(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_instructions(monkeypatch)
    left_out = run(trial).left_out
    assert list(left_out) == [
        name for name, formats in FORMATS.items() if "compute_dtype" in formats
    ]
    assert all("needs a CPU with one of" in reason for reason in left_out.values())


@needs_products
def test_nothing_is_left_out_where_all_is_there(comparison: Comparison) -> None:
    assert not comparison.left_out


def test_what_is_wrong_for_all_formats_is_said(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="could not be loaded"):
        run(replace(trial, model=str(tmp_path / "nothing")))


def test_text_that_is_not_there_is_said_before_anything_is_loaded() -> None:
    with pytest.raises(ConfigError, match="text='/no/such/file'"):
        run(Trial("/no/such/model", "cpu", Texts((Path("/no/such/file"),))))
    with pytest.raises(ConfigError, match="max_tokens=1"):
        Trial("bundled", "cpu", Texts(()), max_tokens=1)
