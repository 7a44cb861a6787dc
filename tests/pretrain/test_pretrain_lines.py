"""Samples of lines ask for what they say, and a model learns from them."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from engine.evals.numbered_lines import Record
from engine.text.tokenizer import Tokenizer
from ops.pretrain.corpus import Corpus, Document, Line
from ops.pretrain.export import export
from ops.pretrain.learning import Budget
from ops.pretrain.lines import RECIPE, batch_of_step, lines_sample, lines_tokenizer, train
from ops.pretrain.plain import write_plain
from ops.pretrain.shape import new_model

TOKENIZER: PreTrainedTokenizerFast = lines_tokenizer()
TINY = replace(
    RECIPE, hidden_size=32, intermediate_size=32, num_layers=1, long_rows=2, warm_up_steps=2
)
# 0.8 of the length may be lines, and a preamble comes before them.
SHORTEST_WITH_AN_ANSWER = 200
ANSWERED = re.compile(r"Query: The REGISTER_CONTENT in line (\d+) is <(\d{5})>\n")
SAID = re.compile(r"(?<!Query: )The REGISTER_CONTENT in line (\d+) is <(\d{5})>\n")


@given(seed=st.integers(0, 2**32), length=st.integers(128, 512))
def test_every_answer_that_is_learnt_is_what_the_named_line_said(seed: int, length: int) -> None:
    sample = lines_sample(TOKENIZER, length, random.Random(seed))
    assert len(sample.tokens) == len(sample.learnt) == length
    text = TOKENIZER.decode(sample.tokens, skip_special_tokens=True)
    said, answered = dict(SAID.findall(text)), ANSWERED.findall(text)
    assert answered or length < SHORTEST_WITH_AN_ANSWER
    assert all(said[number] == content for number, content in answered)
    learnt = [t for t, is_learnt in zip(sample.tokens, sample.learnt, strict=True) if is_learnt]
    answers = "".join(f" <{content}>\n" for _, content in answered)
    assert TOKENIZER.decode(learnt).startswith(answers)


@given(number=st.integers(0, 10**6))
def test_the_tokenizer_gives_every_line_back(number: int) -> None:
    tokenizer, record = Tokenizer(TOKENIZER), Record()
    for text in (record.line(number), record.question(number)):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("length", [96, 256])
def test_batches_have_as_many_tokens_whatever_the_length(length: int) -> None:
    tokens, is_answer = batch_of_step(TOKENIZER, TINY, 3, length)
    assert tokens.shape == is_answer.shape == (2 * RECIPE.long_length // length, length)
    assert 0 < is_answer.sum() < is_answer.numel()
    assert torch.equal(batch_of_step(TOKENIZER, TINY, 3, length)[0], tokens)


def test_a_model_learns_and_is_loaded_the_ordinary_way(tmp_path: Path) -> None:
    ticks = count()
    model = new_model(TINY)
    rows = list(train(model, TOKENIZER, TINY, Budget(60, lambda: float(next(ticks)))))
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert rows[-1]["loss"] < rows[0]["loss"]
    export(model, TOKENIZER, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.num_parameters() == model.num_parameters()


def test_plain_files_hold_the_lines_of_their_kind(tmp_path: Path) -> None:
    talk = Document("a", "talk", (Line("Ada", "Good morning."), Line(None, "Yes.")))
    prose = Document("b", "prose", (Line(None, "It rained."),))
    write_plain(Corpus([prose, talk]), tmp_path / "out", "held_out")
    read = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert read == {
        "held_out_talk.txt": "Ada: Good morning.\nYes.\n",
        "held_out_prose.txt": "It rained.\n",
    }
