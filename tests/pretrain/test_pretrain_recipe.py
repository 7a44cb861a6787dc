"""The whole recipe on a few sentences: a handful of steps, a stop, the same result."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ops.pretrain.__main__ import prepared_tokenizer
from ops.pretrain.batches import Batches
from ops.pretrain.corpus import Corpus, read_corpus
from ops.pretrain.evaluate import evaluate
from ops.pretrain.export import export
from ops.pretrain.learning import rate
from ops.pretrain.recipe import Recipe
from ops.pretrain.train import LOG, Training

TINY = Recipe(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=48,
    num_layers=2,
    head_dim=16,
    num_heads=2,
    num_kv_heads=1,
    short_length=96,
    short_rows=3,
    long_length=256,
    long_rows=1,
    num_restore_samples=30,
    warm_up_steps=2,
)
NUM_STEPS = 8


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("river", "valley", "mill"):
        sentences = [_sentence(rng) for _ in range(80)]
        (folder / f"{name}.txt").write_text("\n\n".join(sentences))
        talk = [{"speaker": "Ada", "text": sentence} for sentence in sentences]
        (folder / f"{name}_talk.jsonl").write_text("\n".join(map(json.dumps, talk)))
    pair = {"dialogue": "Ada: Is the gate open?\nBen: It is.", "summary": "The gate is open."}
    (folder / "pairs.jsonl").write_text(json.dumps(pair))
    return read_corpus(folder)


@pytest.fixture(scope="module")
def prepared(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    prepared_tokenizer(corpus, TINY, out)
    return out


def test_training_learns_and_stops_when_its_time_is_spent(prepared: Path, tmp_path: Path) -> None:
    training = _training(prepared, tmp_path)
    assert training.run()
    rows = _log(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, NUM_STEPS + 1))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["rate"] < rows[NUM_STEPS // 2]["rate"] == 1.0


def test_a_stopped_training_goes_on_bit_for_bit(prepared: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    uninterrupted = _training(prepared, whole)
    uninterrupted.run()

    assert not _training(prepared, parts).run(max_steps=3)
    resumed = _training(prepared, parts)
    assert resumed.step == 3
    assert resumed.run()

    assert _log(parts) == _log(whole)
    for name, weights in uninterrupted.model.state_dict().items():
        assert torch.equal(weights, resumed.model.state_dict()[name]), name


def test_the_log_forgets_steps_that_no_checkpoint_knows(prepared: Path, tmp_path: Path) -> None:
    _training(prepared, tmp_path).run(max_steps=2)
    with (tmp_path / LOG).open("a") as log:
        log.write(json.dumps({"step": 3}) + "\n")
    _training(prepared, tmp_path)
    assert [row["step"] for row in _log(tmp_path)] == [1, 2]


def test_the_export_loads_and_is_measured(prepared: Path, corpus: Corpus, tmp_path: Path) -> None:
    training = _training(prepared, tmp_path)
    tokenizer = prepared_tokenizer(corpus, TINY, prepared)
    export(training.model, tokenizer, tmp_path / "model")

    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokens = torch.tensor([AutoTokenizer.from_pretrained(tmp_path / "model")("Good.")["input_ids"]])
    assert loaded.dtype == torch.bfloat16
    torch.testing.assert_close(
        loaded(tokens).logits.float(), training.model(tokens).logits, atol=0.02, rtol=0.02
    )

    few = replace(corpus, documents=corpus.documents[:1])
    figures = evaluate(tmp_path / "model", few, num_samples=2, stream_tokens=1500)
    (kind,) = {"prose", "talk"} & set(figures)
    assert 0 <= figures[kind]["restored"]["case_accuracy"] <= 1
    assert len(figures[kind]["sinks"]) == 6
    # An untrained model knows nothing: its perplexity is about the size of its vocabulary.
    assert 0.5 * TINY.vocab_size < figures[kind]["perplexity"] < 2 * TINY.vocab_size


def test_batches_depend_on_seed_and_step_alone(prepared: Path) -> None:
    def tokens(recipe: Recipe, step: int) -> list[list[int]]:
        return Batches(prepared / "prepared", recipe).of_step(step, decaying=False)[0][0].tolist()

    assert tokens(TINY, 5) == tokens(TINY, 5)
    assert tokens(TINY, 5) != tokens(TINY, 6)
    assert tokens(TINY, 5) != tokens(replace(TINY, seed=1), 5)


def test_every_row_begins_with_the_sink(prepared: Path) -> None:
    for decaying in (False, True):
        for tokens, _ in Batches(prepared / "prepared", TINY).of_step(0, decaying):
            assert (tokens[:, 0] == 0).all()


def test_the_rate_warms_up_holds_and_ends_at_zero() -> None:
    recipe = Recipe(warm_up_steps=10, decay_share=0.25)
    assert rate(recipe, 0, 0.0) == pytest.approx(0.1)
    assert rate(recipe, 500, 0.75) == 1.0
    assert rate(recipe, 500, 0.875) == pytest.approx(0.5)
    assert rate(recipe, 500, 1.0) == 0.0


def _training(prepared: Path, folder: Path) -> Training:
    """A training in `folder` whose clock ticks once a step."""
    folder.mkdir(exist_ok=True)
    if not (folder / "prepared").exists():
        (folder / "prepared").symlink_to(prepared / "prepared")
    ticks = itertools.count()
    return Training(TINY, folder, seconds=NUM_STEPS, clock=lambda: float(next(ticks)))


def _log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(row) for row in (folder / LOG).read_text().splitlines()]


def _sentence(rng: np.random.Generator) -> str:
    nouns, verbs = ("river", "gate", "miller", "bridge"), ("rises", "holds", "waits", "turns")
    pairs = zip(rng.choice(nouns, 3), rng.choice(verbs, 3), strict=True)
    first, *rest = (f"the {noun} {verb}" for noun, verb in pairs)
    return f"{first.capitalize()}, {', and '.join(rest)}."
