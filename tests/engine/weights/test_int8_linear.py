"""Products of integers: what is rounded, by how much, and that nobody else's tokens matter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from engine.config import EngineConfig
from engine.errors import ConfigError
from engine.model.load import load
from engine.weights import int8_linear
from engine.weights.int8_linear import (
    INSTRUCTIONS,
    LARGEST,
    MAX_INPUTS,
    Int8Linear,
    multiplies_int8,
)
from tests.engine.weights.int8_products import (
    PlainProducts,
    generators,
    needs_products,
    with_instructions,
    without_instructions,
)

ROOT = Path(__file__).parents[3]
BITS = sorted(LARGEST)
SIZES = st.sampled_from([1, 2, 3, 7, 16, 17, 31, 33, 48, 64, 100, 257])
EPSILON = 2**-23
LEAST = 2.0**-149  # the least number of float32


class Weight(NamedTuple):
    """As torchao has it."""

    qdata: Tensor
    scale: Tensor
    zero_point: Tensor | None = None

    @property
    def exact(self) -> Tensor:
        return self.qdata.double() * self.scale.double()


@st.composite
def weights(draw: st.DrawFn, num_inputs: int) -> Weight:
    """Random codes, codes with the largest sums there are, or extremes that take turns."""
    shape = draw(SIZES), num_inputs
    codes = torch.randint(-128, 128, shape, generator=draw(generators()), dtype=torch.int8)
    kind = draw(st.sampled_from(["random", "largest", "least", "extremes"]))
    if kind == "extremes":
        codes.fill_(127)[:, ::2] = -128
    elif kind != "random":
        codes.fill_({"largest": 127, "least": -128}[kind])
    scales = torch.rand(len(codes), 1, generator=draw(generators())) + 0.01
    return Weight(codes, scales * draw(st.sampled_from([1e-6, 1e-3, 1.0])))


@st.composite
def inputs(draw: st.DrawFn, num_inputs: int) -> Tensor:
    """Tokens of wildly different magnitudes, some with an outlier, some without any input."""
    num_tokens = draw(st.sampled_from([1, 2, 3, 8, 17, 40]))
    vectors = torch.randn(num_tokens, num_inputs, generator=draw(generators()))
    for vector in vectors:
        kind = draw(st.sampled_from(["normal", "outlier", "zeros", "ones", "alternating"]))
        if kind == "outlier":
            vector[draw(st.integers(0, num_inputs - 1))] = draw(st.floats(-1e4, 1e4, width=32))
        elif kind != "normal":
            vector.fill_(float(kind != "zeros"))
            vector[::2] *= -1 if kind == "alternating" else 1
        # Far down, numbers are a few of the least one each.
        vector.mul_(10.0 ** draw(st.integers(-25, 25) | st.integers(-45, -35)))
    return vectors


@st.composite
def products(draw: st.DrawFn) -> tuple[Weight, Tensor]:
    num_inputs = draw(SIZES)
    return draw(weights(num_inputs)), draw(inputs(num_inputs))


def steps_of(vectors: Tensor, bits: int) -> Tensor:
    """(T, 1) float64."""
    return vectors.double().abs().amax(-1, keepdim=True) / LARGEST[bits]


@needs_products
@given(products())
def test_8_bits_equal_the_formula_in_integers(product: tuple[Weight, Tensor]) -> None:
    weight, vectors = product
    numbers = vectors.numpy()
    # What is halfway between two codes in float32 need not be so in float64.
    steps = np.abs(numbers).max(axis=1, keepdims=True) / np.float32(127)
    codes = np.rint(numbers / np.where(steps, steps, np.float32(1))).astype(np.int64)
    sums = codes @ weight.qdata.numpy().astype(np.int64).T
    expected = sums * steps.astype(np.float64) * weight.scale.numpy().astype(np.float64).T
    found = Int8Linear(weight, None, 8)(vectors)
    # Where the least number counts in a step, the next test says what holds.
    is_plain = (numbers == 0).all(axis=1) | (steps[:, 0] >= 4 * LEAST / EPSILON)
    exact = torch.from_numpy(expected)
    torch.testing.assert_close(found.double()[is_plain], exact[is_plain], rtol=1e-6, atol=LEAST)


@needs_products
@given(st.data(), SIZES, st.sampled_from(BITS))
def test_inputs_in_whole_steps_lose_nothing(data: st.DataObject, size: int, bits: int) -> None:
    weight, largest = data.draw(weights(size)), LARGEST[bits]
    code = st.sampled_from([-largest, largest, -1, 0, 1]) | st.integers(-largest, largest)
    codes = torch.tensor(data.draw(st.lists(code, min_size=size, max_size=size)))
    codes[0] = largest
    exact = codes @ weight.qdata.long().T * weight.scale.double().flatten()
    step = 2.0 ** data.draw(st.integers(-60, 60))
    found = Int8Linear(weight, None, bits)((codes * step).float().unsqueeze(0))[0]
    # Of 16 bits two sums of bytes are added up in float32.
    sums = codes.abs() @ weight.qdata.long().abs().T * weight.scale.double().flatten()
    assert ((found.double() / step - exact).abs() <= 4 * EPSILON * sums).all()


@needs_products
@given(products(), st.sampled_from(BITS), st.sampled_from([torch.float32, torch.bfloat16]))
def test_nothing_is_lost_but_half_a_step_of_each_input(
    product: tuple[Weight, Tensor], bits: int, dtype: torch.dtype
) -> None:
    weight, vectors = product[0], product[1].to(dtype)
    bias = torch.linspace(-1, 1, len(weight.qdata)).to(dtype)
    found = Int8Linear(weight, bias, bits)(vectors)
    assert found.dtype == dtype
    exact = vectors.double() @ weight.exact.T
    # A step is rounded, by half of the least number at most, and gets the least on top.
    half_steps = (steps_of(vectors, bits) + 1.5 * LEAST) / 2 * weight.exact.abs().sum(1)
    sums = vectors.double().abs() @ weight.exact.abs().T
    largest = exact.abs() + half_steps + bias.double().abs() + torch.finfo(dtype).smallest_normal
    last_digits = 2 * torch.finfo(dtype).eps * largest
    bound = half_steps + 8 * EPSILON * sums + last_digits
    assert ((found.double() - exact - bias.double()).abs() <= bound).all()


@needs_products
@pytest.mark.parametrize("num_inputs", [64, 512, 4096])
@pytest.mark.parametrize(("outlier", "most"), [(None, 1e-4), (100.0, 1e-3)])
def test_16_bits_lose_hardly_anything(num_inputs: int, outlier: float | None, most: float) -> None:
    """Of the norm; more of a long vector with an outlier a hundred times as large as the rest."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(-128, 128, (300, num_inputs), generator=generator, dtype=torch.int8)
    weight = Weight(codes, torch.rand(300, 1, generator=generator))
    vectors = torch.randn(20, num_inputs, generator=generator)
    if outlier is not None:
        vectors[:, 5] = outlier
    exact = vectors.double() @ weight.exact.T
    lost = Int8Linear(weight, None, 16)(vectors).double() - exact
    assert (lost.norm(dim=1) < most * exact.norm(dim=1)).all()


@needs_products
@given(products(), st.sampled_from(BITS), st.data())
def test_a_token_is_the_same_to_the_bit_in_any_company(
    product: tuple[Weight, Tensor], bits: int, data: st.DataObject
) -> None:
    weight, vectors = product
    layer = Int8Linear(weight, None, bits)
    together = layer(vectors)
    assert torch.equal(together, torch.cat([layer(vector) for vector in vectors.split(1)]))
    some = data.draw(st.lists(st.integers(0, len(vectors) - 1), min_size=1, max_size=50))
    assert torch.equal(together[some], layer(vectors[some]))


@needs_products
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,), (2, 0)])
def test_batch_dimensions_are_kept(bits: int, shape: tuple[int, ...]) -> None:
    weight = Weight(torch.arange(-6, 6, dtype=torch.int8).view(4, 3), torch.ones(4, 1))
    layer = Int8Linear(weight, torch.ones(4), bits)
    vectors = torch.randn(*shape, 3)
    found = layer(vectors)
    assert found.shape == (*shape, 4)
    assert torch.equal(found.view(-1, 4), layer(vectors.view(-1, 3)))


@needs_products
@given(products(), st.sampled_from(BITS), st.sampled_from([torch.float32, torch.bfloat16]))
def test_zeros_give_the_bias(product: tuple[Weight, Tensor], bits: int, dtype: torch.dtype) -> None:
    weight, vectors = product
    bias = torch.randn(len(weight.qdata)).to(dtype)
    found = Int8Linear(weight, bias, bits)(torch.zeros_like(vectors, dtype=dtype))
    assert torch.equal(found, bias.expand_as(found))


@needs_products
@given(products(), st.sampled_from(BITS), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_is_not_finite_spoils_its_own_token_alone(
    product: tuple[Weight, Tensor], bits: int, number: float
) -> None:
    weight, vectors = product
    assume(len(vectors) > 1)
    layer = Int8Linear(weight, None, bits)
    spoilt = vectors.clone()
    spoilt[1, -1] = number
    expected, found = layer(vectors), layer(spoilt)
    assert not found[1].isfinite().any()
    others = torch.arange(len(vectors)) != 1
    assert torch.equal(found[others], expected[others])


@pytest.mark.parametrize(
    "weight",
    [
        Weight(torch.ones(3, 4, dtype=torch.int8), torch.ones(3, 1), torch.tensor([[0], [1], [0]])),
        Weight(torch.ones(3, 4, dtype=torch.int8), torch.ones(3, 2)),
        Weight(torch.ones(1, MAX_INPUTS + 1, dtype=torch.int8), torch.ones(1, 1)),
    ],
    ids=["asymmetric", "in groups", "of too many inputs"],
)
def test_weights_of_another_kind_are_refused(weight: Weight) -> None:
    with pytest.raises(ValueError, match="not int8 with one scale"):
        Int8Linear(weight, None, 16)


@needs_products
@pytest.mark.parametrize("bits", BITS)
def test_the_largest_sum_of_the_most_inputs_is_right(bits: int) -> None:
    weight = Weight(torch.full((2, MAX_INPUTS), -128, dtype=torch.int8), torch.ones(2, 1))
    weight.qdata[1] = 127
    found = Int8Linear(weight, None, bits)(torch.ones(1, MAX_INPUTS))
    expected = MAX_INPUTS * torch.tensor([[-128.0, 127.0]])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_products_are_integers_where_the_processor_says_so_and_their_sums_are_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """oneDNN can be told not to use what the processor has; its sums then saturate."""
    without_instructions(monkeypatch)
    assert not multiplies_int8("cpu")
    for name in INSTRUCTIONS:
        with_instructions(monkeypatch, name)
        assert multiplies_int8("cpu")
        assert not multiplies_int8("cuda:0")
        monkeypatch.setattr(int8_linear, "_ops", lambda: PlainProducts(saturates=True))
        assert not multiplies_int8("cpu")
    with_instructions(monkeypatch)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not multiplies_int8("cpu")


def test_what_onednn_is_forbidden_is_not_used() -> None:
    """Whatever this processor has: with AVX2 alone there are no products of int8."""
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from engine.weights.int8_linear import multiplies_int8; print(multiplies_int8('cpu'))",
        ],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert found.stdout == "False\n"


def test_processor_without_instructions_is_told_so_in_one_line(
    model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_instructions(monkeypatch)
    config = EngineConfig(str(model_directory), weight_dtype="int8", compute_dtype="int8")
    with pytest.raises(
        ConfigError, match=r"^compute_dtype='int8' needs a CPU.*leave it out"
    ) as error:
        load(config)
    assert "\n" not in str(error.value)
    assert all(name in str(error.value) for name in INSTRUCTIONS)
