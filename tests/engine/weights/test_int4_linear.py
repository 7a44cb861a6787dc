"""Weights in int4 as the CPU's own operation reads them: the same numbers, however many tokens."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config import EngineConfig
from engine.model.load import load
from engine.weights import int4_linear
from engine.weights.int4_linear import (
    BLOCK,
    GROUP,
    MIDDLE,
    MOST_TOKENS_AS_THEY_LIE,
    Int4Linear,
    PackedInt4Linear,
)
from engine.weights.packing import pack_linears
from engine.weights.quantise import quantise
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import Stream, mixture_logits, streaming_of, tokens
from tests.engine.weights.int8_products import generators

needs_layout = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in BLOCK,
    reason=f"PyTorch makes none of {', '.join(BLOCK)} of this processor",
)
OUTPUTS = st.sampled_from([1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 200])
NUM_GROUPS = st.sampled_from([1, 2, 3, 5, 9])
NUM_TOKENS = st.integers(1, 300) | st.sampled_from(
    [1, 2, 3, 4, 5, MOST_TOKENS_AS_THEY_LIE, MOST_TOKENS_AS_THEY_LIE + 1]
)
ROUNDING = 2.0**-8  # of a number in bfloat16, at most


@st.composite
def layers(draw: st.DrawFn) -> Int4Linear:
    """Random codes, all of one kind, or those farthest from their zeros."""
    num_outputs, num_groups = draw(OUTPUTS), draw(NUM_GROUPS)
    generator, per_group = draw(generators()), (num_outputs, num_groups, 1)
    shape = num_outputs, num_groups * GROUP
    codes = torch.randint(0, 16, shape, generator=generator, dtype=torch.uint8)
    zeros = torch.randint(0, 16, per_group, generator=generator, dtype=torch.uint8)
    kind = draw(st.sampled_from(["random", "lowest", "highest"]))
    if kind != "random":
        codes.fill_(0 if kind == "lowest" else 15)
        zeros.fill_(15 if kind == "lowest" else 0)
    scales = (torch.rand(per_group, generator=generator) + 0.01) * draw(
        st.sampled_from([1e-3, 1.0, 100.0])
    )
    bias = torch.randn(num_outputs, generator=generator).bfloat16()
    has_bias = draw(st.booleans())
    return Int4Linear(codes, scales.half(), zeros, bias if has_bias else None, torch.bfloat16)


@st.composite
def products(draw: st.DrawFn) -> tuple[Int4Linear, Tensor]:
    layer = draw(layers())
    shape = draw(NUM_TOKENS), layer.in_features
    inputs = torch.randn(shape, generator=draw(generators()))
    return layer, inputs.mul_(10.0 ** draw(st.integers(-6, 6))).bfloat16()


def groups_of(layer: Int4Linear) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (N, G, 32), scales and zeros (N, G, 1), all float64."""
    codes = layer.codes().view(layer.out_features, -1, GROUP)
    return codes.double(), layer.scales.double(), layer.zeros.double()


def exact_weights(layer: Int4Linear) -> Tensor:
    codes, scales, zeros = groups_of(layer)
    return ((codes - zeros) * scales).flatten(1)


def weight_errors(layer: Int4Linear) -> Tensor:
    """(N, K): rounded are a scale, what MIDDLE stands for, and the weight."""
    codes, scales, zeros = groups_of(layer)
    distances, middles = (codes - MIDDLE).abs(), (MIDDLE - zeros).abs()
    most = (distances + middles + (codes - zeros).abs()) * scales
    return 1.02 * ROUNDING * most.flatten(1)


@needs_layout
@given(products())
def test_any_number_of_tokens_is_as_near_to_the_exact_as_rounded_weights_are(
    product: tuple[Int4Linear, Tensor],
) -> None:
    layer, inputs = product
    found = PackedInt4Linear(layer)(inputs)
    assert found.dtype == torch.bfloat16
    assert found.shape == (len(inputs), layer.out_features)
    bias = torch.zeros(1) if layer.bias is None else layer.bias
    exact = inputs.double() @ exact_weights(layer).T
    off = inputs.double().abs() @ weight_errors(layer).T
    # The product is rounded, then its sum with the bias; sums are kept in float32.
    off += 2.1 * ROUNDING * (exact.abs() + off + bias.double().abs())
    assert ((found.double() - exact - bias.double()).abs() <= off).all()


@needs_layout
@given(products())
def test_a_token_among_many_differs_from_itself_among_few_by_roundings(
    product: tuple[Int4Linear, Tensor],
) -> None:
    layer, inputs = product
    layer.bias = None
    packed = PackedInt4Linear(layer)
    few = torch.cat([packed(some) for some in inputs.split(MOST_TOKENS_AS_THEY_LIE)])
    others = torch.ones(MOST_TOKENS_AS_THEY_LIE, layer.in_features).bfloat16()
    many = packed(torch.cat((inputs, others)))[: len(inputs)]
    sums = inputs.double().abs() @ exact_weights(layer).abs().T
    assert (many.double() - few.double()).norm() <= ROUNDING * sums.norm()


@needs_layout
@given(products(), st.data())
def test_few_tokens_are_the_same_to_the_bit_in_any_company(
    product: tuple[Int4Linear, Tensor], data: st.DataObject
) -> None:
    packed, inputs = PackedInt4Linear(product[0]), product[1][:MOST_TOKENS_AS_THEY_LIE]
    together = packed(inputs)
    assert torch.equal(together, torch.cat([packed(token) for token in inputs.split(1)]))
    some = data.draw(st.lists(st.integers(0, len(inputs) - 1), min_size=1, max_size=20))
    assert torch.equal(together[some], packed(inputs[some]))


def random_layer(num_inputs: int = 64, num_outputs: int = 40) -> Int4Linear:
    """With a bias."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 16, (num_outputs, num_inputs), generator=generator, dtype=torch.uint8)
    per_group = num_outputs, num_inputs // GROUP, 1
    zeros = torch.randint(0, 16, per_group, generator=generator, dtype=torch.uint8)
    scales = torch.rand(per_group, generator=generator).half()
    return Int4Linear(codes, scales, zeros, torch.ones(num_outputs).bfloat16(), torch.bfloat16)


@needs_layout
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,), (2, 0), (3, 40)])
def test_batch_dimensions_are_kept(shape: tuple[int, ...]) -> None:
    packed = PackedInt4Linear(random_layer())
    inputs = torch.randn(*shape, 64).bfloat16()
    found = packed(inputs)
    assert found.shape == (*shape, 40)
    assert torch.equal(found.view(-1, 40), packed(inputs.view(-1, 64)))


@needs_layout
@pytest.mark.parametrize("num_tokens", [8, 100])
def test_inputs_may_lie_anyhow(num_tokens: int) -> None:
    packed = PackedInt4Linear(random_layer())
    inputs = torch.randn(64, num_tokens).bfloat16().T
    assert torch.equal(packed(inputs), packed(inputs.contiguous()))


@needs_layout
@pytest.mark.parametrize("num_tokens", [8, 100])
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_what_is_not_finite_spoils_its_own_token_alone(number: float, num_tokens: int) -> None:
    packed = PackedInt4Linear(random_layer())
    inputs = torch.randn(num_tokens, 64).bfloat16()
    spoilt = inputs.clone()
    spoilt[1, -1] = number
    expected, found = packed(inputs), packed(spoilt)
    others = torch.arange(num_tokens) != 1
    assert not found[1].isfinite().all()
    assert torch.equal(found[others], expected[others])


@needs_layout
def test_codes_are_kept_once() -> None:
    """And a scale and a zero of two bytes each for each group."""
    layer = random_layer(num_inputs=96, num_outputs=128)
    num_bytes = sum(part.nbytes for part in PackedInt4Linear(layer).weight_tensors)
    assert num_bytes == 128 * (96 // 2 + 3 * 4)


def pack(layer: Int4Linear) -> nn.Module:
    model = nn.Sequential(layer)
    pack_linears(model)
    return model[0]


class OtherProducts:
    """PyTorch's operations, of which one is missing, fails, or answers something else."""

    def __init__(self, wrong: str, how: str) -> None:
        self.aten = self
        self.wrong, self.how = wrong, how

    def __getattr__(self, name: str) -> Any:
        right = getattr(torch.ops.aten, name)
        if name != self.wrong:
            return right
        if self.how == "missing":
            raise AttributeError(name)
        return self._failing if self.how == "failing" else lambda *args: right(*args).flip(0)

    def _failing(self, *_: Any) -> Tensor:
        raise RuntimeError("not here")


@pytest.mark.parametrize("how", ["missing", "failing", "other"])
@pytest.mark.parametrize(
    "wrong", ["_convert_weight_to_int4pack_for_cpu", "_weight_int4pack_mm_for_cpu"]
)
def test_where_the_operation_is_not_as_known_the_codes_stay(
    wrong: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = random_layer(num_outputs=128)
    monkeypatch.setattr(int4_linear, "_ops", lambda: OtherProducts(wrong, how))
    assert pack(layer) is layer


def test_on_a_processor_whose_layout_is_not_known_the_codes_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = random_layer()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")
    assert pack(layer) is layer


@needs_layout
def test_codes_that_lie_otherwise_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {name: 96 - block for name, block in BLOCK.items()}
    monkeypatch.setattr(int4_linear, "BLOCK", other)
    with pytest.raises(ValueError, match="the codes lie otherwise"):
        PackedInt4Linear(random_layer(num_outputs=128))


@needs_layout
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float16"])
def test_models_in_bfloat16_alone_are_arranged(dtype: str, model_directory: Path) -> None:
    model = load(EngineConfig(str(model_directory), dtype=dtype, weight_dtype="int4"))
    kinds = {type(part) for part in model.hf.modules()}
    in_int4 = PackedInt4Linear if dtype == "bfloat16" else Int4Linear
    assert kinds & {PackedInt4Linear, Int4Linear} == {in_int4}


@needs_layout
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt-neox", "falcon", "mpt"])
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_family_arranged_is_as_near_to_float32_as_with_its_codes(family: str) -> None:
    """Of the norm of the logits, in chunks for which weights are unpacked and others."""
    hf = tiny(family, torch.bfloat16)
    quantise(hf, "int4")
    stream = Stream(3, tokens(180, seed=1))
    naive = copy.deepcopy(hf).float()
    exact = reference_logits(naive, stream.token_ids, 3, 117)
    model = streaming_of(hf)
    (with_codes,) = mixture_logits(model, [stream], 120, 100, 100)
    model.pack()
    assert any(isinstance(part, PackedInt4Linear) for part in hf.modules())
    for chunk in (9, 100):
        (logits,) = mixture_logits(model, [stream], 120, chunk, chunk)
        assert (logits - exact).norm() < 1.5 * (with_codes - exact).norm()
