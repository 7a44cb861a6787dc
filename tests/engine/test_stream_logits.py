"""The function that anybody can check the engine with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.bench.stock import StockModel
from engine.evaluate import stream_logits
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, streaming, tokens


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_stream_logits_equal_the_reference_for_every_chunk(chunk: int) -> None:
    model = tiny("qwen3")
    logits = stream_logits(model, tokens(100), num_sinks=4, num_recent=20, chunk=chunk)
    assert (logits.dtype, logits.shape) == (torch.float32, (100, 97))
    expected = reference_logits(model, tokens(100), 4, 20)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_loaded_model_is_left_as_it_was() -> None:
    model = tiny("llama")
    stream_logits(model, tokens(10), num_sinks=1, num_recent=4, chunk=3)
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("family", ["bloom", "falcon", "gptj", "mpt"])
def test_adapted_model_is_left_with_its_own_attention(family: str) -> None:
    model = tiny(family)
    ids = torch.tensor([tokens(12)])
    with torch.inference_mode():
        before = model(ids).logits
        stream_logits(model, tokens(10), num_sinks=1, num_recent=4, chunk=3)
        assert torch.equal(model(ids).logits, before)
    assert model.config._attn_implementation == "eager"
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("family", ["bloom", "falcon", "gptj", "mpt"])
def test_copy_of_an_adapted_model_gets_its_own_attention_back(family: str) -> None:
    """Benchmarks measure the engine's model beside a stock copy of it."""
    engine_s = streaming(family)
    stock = StockModel(engine_s.hf)
    expected = engine_s.dense_logits(tokens(20))
    torch.testing.assert_close(stock.logits(tokens(20)), expected, atol=1e-5, rtol=0)
    (logits,) = mixture_logits(engine_s, [Stream(2, tokens(20))], 30, 7, 7)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_model_can_be_a_directory(model_directory: Path) -> None:
    logits = stream_logits(str(model_directory), tokens(40), num_sinks=2, num_recent=9, chunk=8)
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32)
    expected = reference_logits(model, tokens(40), 2, 9)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_empty_stream_has_no_logits() -> None:
    assert stream_logits(tiny("llama"), [], num_sinks=1, num_recent=4, chunk=3).shape == (0, 97)
