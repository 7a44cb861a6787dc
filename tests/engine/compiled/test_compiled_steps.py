"""Single tokens in compiled code: what the definition says, alone or together, on any threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoConfig, PretrainedConfig

from engine.compiled import compiler
from engine.compiled.steps import MOST_TOKENS, CompiledSteps
from engine.model.model import StreamingModel
from engine.weights.quantise import quantise
from tests.engine.families import LLAMA3_ROPE, SIZES, VOCAB_SIZE, YARN_ROPE, tiny_of
from tests.engine.mixtures import mixtures
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, streaming_of, tokens
from tests.engine.weights.int8_products import needs_products

TOLERANCE = 1e-4

# What step.cc takes 16 numbers of at a time has no rest; blocks of outputs have one.
WIDER = {**SIZES, "hidden_size": 64, "intermediate_size": 112}


def config(model_type: str, **changes: Any) -> Callable[[], PretrainedConfig]:
    return lambda: AutoConfig.for_model(model_type, **{**WIDER, **changes})


COMPILED = {
    "llama": config("llama"),
    "llama-llama3-rope": config("llama", rope_parameters=LLAMA3_ROPE),
    "llama-yarn-rope": config("llama", rope_parameters=YARN_ROPE),
    "llama-one-kv-head": config("llama", num_key_value_heads=1, head_dim=48),
    "mistral": config("mistral", sliding_window=None),
    "qwen2": config("qwen2"),
    "qwen3": config("qwen3", head_dim=32),
}
# They have what this shape does not, or look like it and compute something else.
NOT_COMPILED = {
    "gemma": config("gemma", head_dim=16),
    "granite": config("granite", logits_scaling=2.0, residual_multiplier=0.5),
    "olmo2": config("olmo2"),
    "cohere": config("cohere"),
    "gpt_neox": config("gpt_neox"),
    "mistral-own-window": config("mistral", sliding_window=19),
    "llama-heads-of-8": config("llama", head_dim=8),
    "glm": config("glm", head_dim=16),
}


@cache
def compiled(family: str, weight_dtype: str | None = None, kv_dtype: str | None = None) -> Any:
    hf = tiny_of({**COMPILED, **NOT_COMPILED}[family]())
    if weight_dtype:
        quantise(hf, weight_dtype)
    model = streaming_of(hf, kv_dtype)
    model.pack()
    model.compile_steps()
    return model


def logits_by_hand(family: str, stream: Stream, num_slots: int, **options: Any) -> Tensor:
    window = stream.num_sinks, num_slots - stream.num_sinks, stream.num_discard
    hf = tiny_of(COMPILED[family]())
    if options.pop("weight_dtype", None):
        quantise(hf, "int8")
    return reference_logits(hf, stream.token_ids, *window, **options)


class Counting(CompiledSteps):
    def __init__(self, steps: CompiledSteps) -> None:
        self.__dict__.update(steps.__dict__)
        self.num_steps = 0

    def compute(self, *segments: Any, **options: Any) -> Tensor:
        self.num_steps += 1
        return super().compute(*segments, **options)


def alone(model: StreamingModel, stream: Stream, num_slots: int) -> Tensor:
    """Token by token, all of them in compiled code."""
    counting = Counting(model.compiled_steps)
    with patch.object(model, "compiled_steps", counting):
        (logits,) = mixture_logits(model, [stream], num_slots, 1, 1)
    assert counting.num_steps == len(stream.token_ids)
    return logits


@pytest.mark.parametrize("family", COMPILED)
@settings(max_examples=15)
@given(mixtures())
def test_any_mixture_with_compiled_steps_equals_the_reference(
    family: str, mixture: tuple[list[Stream], int, int, int]
) -> None:
    streams, num_slots, *limits = mixture
    results = mixture_logits(compiled(family), streams, num_slots, *limits)
    for stream, logits in zip(streams, results, strict=True):
        expected = logits_by_hand(family, stream, num_slots)
        torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("family", COMPILED)
def test_a_stream_of_single_tokens_is_compiled_and_equals_the_reference(family: str) -> None:
    stream = Stream(3, tokens(90), position_limit=60)
    logits = alone(compiled(family), stream, 20)
    torch.testing.assert_close(logits, logits_by_hand(family, stream, 20), atol=TOLERANCE, rtol=0)


def test_rows_in_bfloat16_are_rounded_once() -> None:
    stream = Stream(3, tokens(70), position_limit=1000)
    logits = alone(compiled("llama", kv_dtype="bfloat16"), stream, 20)
    expected = logits_by_hand("llama", stream, 20, kv_dtype="bfloat16")
    exact = logits_by_hand("llama", stream, 20)
    assert (logits - expected).norm() < 0.1 * (expected - exact).norm()


@needs_products
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_weights_in_int8_are_multiplied_as_integers_are(family: str) -> None:
    stream = Stream(3, tokens(70))
    logits = alone(compiled(family, "int8"), stream, 20)
    expected = logits_by_hand(family, stream, 20, weight_dtype="int8")
    assert (logits - expected).norm() < 1e-3 * expected.norm()


@settings(max_examples=20)
@given(st.integers(1, MOST_TOKENS), st.sampled_from([None, "int8"]), st.integers(1, 4))
def test_neither_company_nor_threads_change_a_bit(
    num_streams: int, weight_dtype: str | None, num_threads: int
) -> None:
    if weight_dtype and compiled("llama", weight_dtype).compiled_steps is None:
        return  # a processor without products of integers
    model = compiled("llama", weight_dtype)
    streams = [Stream(seed % 4, tokens(30, seed)) for seed in range(num_streams)]
    torch.set_num_threads(num_threads)
    together = mixture_logits(model, streams, 12, 1, num_streams)
    torch.set_num_threads(1)
    for stream, logits in zip(streams, together, strict=True):
        assert torch.equal(logits, alone(model, stream, 12))


@pytest.mark.parametrize("family", NOT_COMPILED)
def test_other_shapes_are_left_to_pytorch(family: str) -> None:
    assert compiled(family).compiled_steps is None


def test_windows_that_move_by_blocks_are_left_to_pytorch() -> None:
    model = compiled("llama")
    stream = Stream(2, tokens(60), num_discard=5)
    with patch.object(model, "compiled_steps", Counting(model.compiled_steps)) as counting:
        (logits,) = mixture_logits(model, [stream], 16, 1, 1)
    assert counting.num_steps == 0
    torch.testing.assert_close(logits, logits_by_hand("llama", stream, 16), atol=TOLERANCE, rtol=0)


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_it_is_compiled_once_for_a_machine(fresh_cache: Path) -> None:
    load = compiler.library.__wrapped__
    assert load() is not None
    (file,) = (fresh_cache / "weir" / "compiled").iterdir()
    made_at = file.stat().st_mtime_ns
    assert load() is not None
    assert file.stat().st_mtime_ns == made_at


def test_without_a_compiler_pytorch_computes_all(
    fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiler.library.__wrapped__() is None
    assert list(fresh_cache.iterdir()) == []


def test_a_compiler_that_fails_is_said_and_does_no_harm(
    fresh_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = fresh_cache / "c++"
    broken.write_text("#!/bin/sh\necho 'unknown option' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    assert compiler.library.__wrapped__() is None
    assert "unknown option" in caplog.text
    assert list((fresh_cache / "weir" / "compiled").iterdir()) == []


def test_every_token_of_the_vocabulary_has_a_logit() -> None:
    stream = Stream(1, tokens(3))
    assert alone(compiled("llama"), stream, 8).shape == (3, VOCAB_SIZE)
