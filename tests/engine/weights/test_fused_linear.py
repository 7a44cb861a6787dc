"""Layers that are computed as one answer as each would alone, whatever they are given and when."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.weights import packing
from engine.weights.fused_linear import NAMES, FusedLinear, FusedProduct, fusible_in, join
from engine.weights.int8_linear import Int8Linear
from engine.weights.quantise import quantise
from tests.engine.families import tiny
from tests.engine.streams import Stream, mixture_logits, streaming_of, tokens
from tests.engine.weights.int8_products import needs_products

NUM_INPUTS, SIZES = 3, (2, 4, 1)
START = sum(SIZES)


class Counting(nn.Linear):
    """Counts how often it is asked. Whole numbers, so that sums are exact in any order."""

    def __init__(self) -> None:
        super().__init__(NUM_INPUTS, sum(SIZES), bias=False)
        self.requires_grad_(False)
        self.weight.copy_(torch.arange(self.weight.numel()).view_as(self.weight) - START)
        self.num_calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.num_calls += 1
        return super().forward(inputs)


def counting_layers() -> tuple[Counting, list[FusedLinear]]:
    joined = Counting()
    product = FusedProduct(joined, SIZES)
    return joined, [FusedLinear(product, place, NUM_INPUTS) for place in range(len(SIZES))]


def alone(joined: Counting, place: int, inputs: Tensor) -> Tensor:
    rows = joined.weight.split(list(SIZES))[place]
    return nn.functional.linear(inputs, rows)


def ones(num_tokens: int = 2) -> Tensor:
    return torch.ones(1, num_tokens, NUM_INPUTS)


# A tensor of a few, asked of a layer; or changed in place first; or made anew where it lay.
ASKED = st.tuples(
    st.sampled_from(["ask", "change", "replace"]),
    st.integers(0, 2),
    st.integers(0, len(SIZES) - 1),
    st.integers(-2, 2),
)


@pytest.mark.parametrize("is_inference", [True, False])
@given(st.lists(ASKED, max_size=40))
def test_answers_are_those_of_each_layer_alone(
    is_inference: bool, asked: Sequence[tuple[str, int, int, int]]
) -> None:
    joined, layers = counting_layers()
    with torch.inference_mode(is_inference):
        given_inputs = [ones(1), ones(2), ones(2)]
        for action, which, place, number in asked:
            if action == "change":
                given_inputs[which][..., -1] = number
            elif action == "replace":
                given_inputs[which] = number * ones(1 + number % 2)
            inputs = given_inputs[which]
            answer = layers[place](inputs)
            assert torch.equal(answer, alone(joined, place, inputs))
            assert answer.is_contiguous()
            # Whoever is given an answer may overwrite it, and its inputs' numbers stay their own.
            answer.fill_(1e6)


def test_layers_that_are_given_the_same_are_computed_once() -> None:
    joined, layers = counting_layers()
    for num_steps in range(1, 4):
        inputs = num_steps * ones()
        for place in (1, 0, 2):
            layers[place](inputs)
        assert joined.num_calls == num_steps


def test_one_that_asks_twice_is_answered_anew() -> None:
    joined, layers = counting_layers()
    inputs = ones()
    first, second = layers[0](inputs), layers[0](inputs)
    assert joined.num_calls == 2
    assert first.data_ptr() != second.data_ptr()


def test_nothing_is_kept_when_all_have_theirs() -> None:
    _, layers = counting_layers()
    inputs = ones()
    answers = [layer(inputs) for layer in layers]
    kept = [weakref.ref(tensor) for tensor in (inputs, *answers)]
    assert layers[0].product._kept is None
    del inputs, answers
    assert not any(tensor() is not None for tensor in kept)


def test_other_numbers_of_another_type_are_other_inputs() -> None:
    joined, layers = counting_layers()
    layers[0](ones())
    joined.double()
    assert layers[1](ones().double()).dtype == torch.float64


def test_threads_that_ask_at_once_get_their_own() -> None:
    joined, layers = counting_layers()
    wrong: list[int] = []

    def ask(thread: int) -> None:
        for step in range(300):
            inputs = (step % 2 + thread) * ones()
            for place, layer in enumerate(layers):
                answer = layer(inputs)
                if not torch.equal(answer, alone(joined, place, inputs)):
                    wrong.append(step)
                answer.zero_()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Attention(nn.Module):
    """Three layers of different widths, the first of a kind that may be another."""

    def __init__(self, first: nn.Linear, *, has_bias: bool = False) -> None:
        super().__init__()
        self.q_proj = first
        self.k_proj = nn.Linear(32, 16, bias=has_bias)
        self.v_proj = nn.Linear(32, 24, bias=has_bias)
        self.o_proj = nn.Linear(32, 32, bias=has_bias)


class Doubling(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


def in_int8(module: nn.Module) -> nn.Module:
    quantization = pytest.importorskip("torchao.quantization")
    quantization.quantize_(module, quantization.Int8WeightOnlyConfig())
    return module


@pytest.mark.parametrize("has_bias", [False, True])
def test_joined_layer_computes_what_its_parts_did(has_bias: bool) -> None:
    parent = in_int8(Attention(nn.Linear(32, 32, bias=has_bias), has_bias=has_bias))
    (linears,) = fusible_in(parent)
    assert tuple(linears) == NAMES[0]
    inputs = torch.randn(5, 32)
    expected = torch.cat([linear(inputs) for linear in linears.values()], dim=-1)
    torch.testing.assert_close(join(list(linears.values()))(inputs), expected)


@pytest.mark.parametrize(
    "first",
    [
        nn.Linear(32, 32, bias=True),
        nn.Linear(16, 32, bias=False),
        nn.Linear(32, 32, bias=False, dtype=torch.bfloat16),
        Doubling(32, 32, bias=False),
    ],
    ids=["bias", "inputs", "dtype", "class"],
)
def test_layers_that_differ_are_no_layers(first: nn.Linear) -> None:
    assert not list(fusible_in(in_int8(Attention(first))))


def test_layers_in_floats_or_with_one_missing_are_no_layers() -> None:
    parent = Attention(nn.Linear(32, 32, bias=False))
    assert not list(fusible_in(parent))
    in_int8(parent)
    del parent.v_proj
    assert not list(fusible_in(parent))


@needs_products
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "gptj", "gpt-oss", "mixtral"])
def test_models_give_the_same_logits_to_the_bit_with_layers_joined(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def logits() -> Tensor:
        hf = tiny(family)
        quantise(hf, "int8")
        model = streaming_of(hf)
        model.pack()
        num_joined = sum(isinstance(part, FusedProduct) for part in hf.modules())
        assert num_joined >= 2 if packing.fusible_in is fusible_in else num_joined == 0
        assert any(isinstance(part, Int8Linear) for part in hf.modules())
        streams = [Stream(3, tokens(50)), Stream(1, tokens(31))]
        return torch.cat(mixture_logits(model, streams, 20, 1, 9))

    joined = logits()
    monkeypatch.setattr(packing, "fusible_in", lambda parent: ())
    assert torch.equal(joined, logits())
