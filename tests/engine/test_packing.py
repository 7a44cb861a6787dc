"""Weights arranged for the CPU compute what they did before, and take no more memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from families import tiny
from reference import reference_logits
from streams import Stream, mixture_logits, tokens
from torch import Tensor, nn

from engine.config import EngineConfig
from engine.model import StreamingModel, load, load_weights
from engine.packing import PackedLinear, pack_linears

# Without biases, with them, with a linear layer of its own making, with experts.
FAMILIES = ["llama", "gpt-neox", "falcon", "mpt", "mixtral"]


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_tokens", [1, 2, 16, 100])
def test_packed_layer_computes_the_same(dtype: torch.dtype, num_tokens: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(48, 40, dtype=dtype).requires_grad_(False)
    inputs = torch.randn(1, num_tokens, 48, dtype=dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(
        PackedLinear(linear)(inputs), linear(inputs), atol=tolerance, rtol=tolerance
    )


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
