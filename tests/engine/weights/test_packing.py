"""Weights arranged for the CPU compute what they did before, and take no more memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config import EngineConfig
from engine.model.load import load, load_weights
from engine.model.model import StreamingModel
from engine.weights import int8_linear
from engine.weights.int8_linear import LARGEST, Int8Linear
from engine.weights.packing import PackedLinear, filled_up, pack_linears
from engine.weights.quantise import quantise
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, tokens
from tests.engine.weights.int8_products import (
    PlainProducts,
    needs_products,
    with_instructions,
    without_instructions,
)

# Without biases, with them, with a linear layer of its own making, with experts.
FAMILIES = ["llama", "gpt-neox", "falcon", "mpt", "mixtral"]
# In a layer of the Llama shape; some layers are computed as one.
NUM_LINEARS, NUM_PRODUCTS = 7, 4


@pytest.fixture
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> StreamingModel:
    """A tiny model of a family, as loading it makes it."""
    tiny(request.param).save_pretrained(tmp_path)
    return load(EngineConfig(str(tmp_path)))


@pytest.mark.parametrize(("packed", "family"), [(f, f) for f in FAMILIES], indirect=["packed"])
def test_packed_model_equals_the_reference(packed: StreamingModel, family: str) -> None:
    assert any(isinstance(module, PackedLinear) for module in packed.hf.modules())
    token_ids = tokens(70)
    expected = reference_logits(tiny(family), token_ids, 3, 17)
    for chunk in (1, 9, 70):
        (logits,) = mixture_logits(packed, [Stream(3, token_ids)], 20, chunk, chunk)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("packed", ["llama"], indirect=True)
def test_layers_see_few_numbers_of_tokens_however_long_chunks_are(packed: StreamingModel) -> None:
    sizes: set[int] = set()
    for module in packed.hf.modules():
        if isinstance(module, PackedLinear):
            module.register_forward_pre_hook(lambda _, args: sizes.add(args[0].shape[-2]))
    streams = [Stream(3, tokens(70 + row), joins_at=2 * row) for row in range(4)]
    for max_chunk in range(1, 40):
        mixture_logits(packed, streams, 20, max_chunk, 100)
    assert sizes <= {filled_up(size) for size in range(1, 101)}
    assert len({filled_up(size) for size in range(1, 1025)}) == 36


@given(st.integers(1, 10**6))
def test_filling_up_adds_less_than_a_quarter(num_tokens: int) -> None:
    assert num_tokens <= filled_up(num_tokens) < 1.25 * num_tokens
    assert filled_up(filled_up(num_tokens)) == filled_up(num_tokens)


def takes(dtype: torch.dtype) -> bool:
    """Whether oneDNN says that it multiplies these numbers on this processor."""
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_tokens", [1, 2, 16, 100])
def test_layer_computes_the_same_and_is_packed_where_the_processor_can(
    dtype: torch.dtype, num_tokens: int
) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(48, 40, dtype=dtype).requires_grad_(False)
    inputs = torch.randn(1, num_tokens, 48, dtype=dtype)
    expected = linear(inputs)
    model = nn.Sequential(linear)
    pack_linears(model)
    assert isinstance(model[0], PackedLinear) if takes(dtype) else model[0] is linear
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(model(inputs), expected, atol=tolerance, rtol=tolerance)


def test_the_plain_weight_is_let_go(model_directory: Path) -> None:
    config = EngineConfig(str(model_directory))
    plain = {name for name, _ in load_weights(config).named_parameters()}
    left = {name for name, _ in load(config).hf.named_parameters()}
    assert left < plain
    assert not any("proj" in name for name in left)


class Doubling(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


def test_a_layer_that_does_more_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(8, 8), Doubling(8, 8)).requires_grad_(False)
    inputs = torch.randn(3, 8)
    expected = model(inputs)
    pack_linears(model)
    assert isinstance(model[0], PackedLinear)
    assert isinstance(model[1], Doubling)
    torch.testing.assert_close(model(inputs), expected)


def test_what_the_library_cannot_take_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(8, 8, dtype=torch.float64)).requires_grad_(False)
    pack_linears(model)
    assert not isinstance(model[0], PackedLinear)


def test_a_layer_without_answers_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(8, 8)).requires_grad_(False)
    model[0].weight[3, 3] = torch.nan
    pack_linears(model)
    assert not isinstance(model[0], PackedLinear)


@pytest.mark.parametrize("input_bits", LARGEST)
@pytest.mark.parametrize("saturates", [False, True])
def test_products_that_saturate_are_seen_and_left_to_torchao(
    saturates: bool, input_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_instructions(monkeypatch)
    monkeypatch.setattr(int8_linear, "_ops", lambda: PlainProducts(saturates=saturates))
    model = tiny("llama")
    quantise(model, "int8")
    inputs = torch.randn(3, 32)
    layer = model.model.layers[0].mlp
    expected = layer(inputs)
    pack_linears(model, input_bits)
    linears = [part for part in model.modules() if isinstance(part, nn.Linear | Int8Linear)]
    assert len(linears) == 2 * (NUM_LINEARS if saturates else NUM_PRODUCTS)
    assert all(isinstance(linear, Int8Linear) != saturates for linear in linears)
    if saturates:
        assert torch.equal(layer(inputs), expected)
    else:
        assert (layer(inputs) - expected).norm() < 0.05 * expected.norm()


def test_without_instructions_weights_in_int8_work_as_torchao_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_instructions(monkeypatch)
    naive = tiny("llama")
    naive.save_pretrained(tmp_path)
    quantise(naive, "int8")
    model = load(EngineConfig(str(tmp_path), weight_dtype="int8"))
    assert not any(isinstance(part, Int8Linear) for part in model.hf.modules())
    (logits,) = mixture_logits(model, [Stream(3, tokens(40))], 20, 9, 9)
    expected = reference_logits(naive, tokens(40), 3, 17)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@needs_products
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("compute_dtype", [None, "int8"])
def test_with_instructions_all_weights_in_int8_are_arranged_for_them(
    compute_dtype: str | None, dtype: str, model_directory: Path
) -> None:
    numbers = {"dtype": dtype, "weight_dtype": "int8", "compute_dtype": compute_dtype}
    model = load(EngineConfig(str(model_directory), **numbers))  # type: ignore[arg-type]
    arranged = [part for part in model.hf.modules() if isinstance(part, Int8Linear)]
    assert len(arranged) == 2 * NUM_PRODUCTS
    assert {layer.input_bits for layer in arranged} == {16 if compute_dtype is None else 8}
