"""Weights in the layout that the CPU's matrix library reads fastest, made once, at load.

torch's own linear layer hands a weight to MKL as it lies, or, in half precision, rearranges it at
each call. Arranged once by oneDNN, it takes as much memory and is faster at nearly any number of
tokens (figures: tests/bench/RESULTS.md). An output layer that shares its weight with the embedding,
which must stay readable, is the exception: it becomes a second copy. Weights in int8 are arranged
for products of integers, on a processor that is made for them (int8_linear.py), and those in int4,
in bfloat16, for a product that reads them as they lie (int4_linear.py).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from engine.config import INT4_GROUP as GROUP
from engine.weights.fused_linear import FusedLinear, FusedProduct, fusible_in, join
from engine.weights.int4_linear import Int4Linear, PackedInt4Linear
from engine.weights.int8_linear import Int8Linear, multiplies_int8

Unpacked: TypeAlias = "nn.Linear | Int4Linear"
Packed: TypeAlias = "PackedLinear | Int8Linear | PackedInt4Linear"

# Tokens at once that the layout is chosen for: one made for a single token is poor at others, one
# made for several is the best at any.
PACKED_FOR = 16
PACKED_DTYPES = (torch.float32, torch.bfloat16)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-2}


def filled_up(num_tokens: int) -> int:
    """The next of few numbers: all up to 8, then four between a power of two and the next.

    oneDNN compiles a product for each number of tokens, takes milliseconds for it, and keeps it,
    half a megabyte for each shape of layer: chunks of every length would be hundreds of megabytes.
    """
    step = 1 << max(0, (num_tokens - 1).bit_length() - 3)
    return -(-num_tokens // step) * step


class PackedLinear(nn.Module):
    """A linear layer whose weight only oneDNN can read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.packed = _ops().mkldnn._reorder_linear_weight(linear.weight.detach(), PACKED_FOR)
        self.bias = linear.bias

    @property
    def weight_tensors(self) -> list[Tensor]:
        return [self.packed]

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        linear = _ops().mkldnn._linear_pointwise
        outputs: Tensor = linear(inputs, self.packed, self.bias, "none", [], "")
        return outputs


def packed_dtypes() -> frozenset[str]:
    """The floats in which this processor's library arranges weights."""
    names = {dtype: str(dtype).removeprefix("torch.") for dtype in PACKED_DTYPES}
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return frozenset()
    small = {dtype: nn.Linear(GROUP, GROUP, dtype=dtype) for dtype in names}
    return frozenset(names[dtype] for dtype, linear in small.items() if _packed(linear, 16))


def pack_linears(model: nn.Module, input_bits: int = 16) -> None:
    """Pack what can be packed, on a CPU; a layer that then answers otherwise stays as it was.

    input_bits  8 or 16: of what int8 weights are multiplied with
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for parent in list(model.modules()):
        for linears in fusible_in(parent):
            _pack_as_one(parent, linears, input_bits)
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear | Int4Linear):
                setattr(parent, name, _packed(child, input_bits) or child)


def _pack_as_one(parent: nn.Module, linears: dict[str, nn.Linear], input_bits: int) -> None:
    packed = _packed(join(list(linears.values())), input_bits)
    if packed is None:
        return
    product = FusedProduct(packed, [linear.out_features for linear in linears.values()])
    for place, name in enumerate(linears):
        setattr(parent, name, FusedLinear(product, place, packed.in_features))


def _ops() -> Any:
    return torch.ops


@torch.inference_mode()
def _packed(linear: Unpacked, input_bits: int) -> Packed | None:
    """None if there is no layout for it here, or its answers are others."""
    try:
        packed = _arranged(linear, input_bits)
        is_right = packed is not None and _error(packed, linear) <= TOLERANCE[_dtype(linear)]
    except (AttributeError, RuntimeError, ValueError):
        return None
    return packed if is_right else None


def _arranged(linear: Unpacked, input_bits: int) -> Packed | None:
    if isinstance(linear, Int4Linear):
        is_fit = linear.dtype == torch.bfloat16 and linear.packed.device.type == "cpu"
        return PackedInt4Linear(linear) if is_fit else None
    weight = linear.weight
    if type(weight.data) is not Tensor:
        is_fit = multiplies_int8(str(weight.device))
        return Int8Linear(weight, linear.bias, input_bits) if is_fit else None
    is_fit = weight.dtype in PACKED_DTYPES and weight.device.type == "cpu"
    return PackedLinear(linear) if is_fit else None


def _dtype(linear: Unpacked) -> torch.dtype:
    return linear.dtype if isinstance(linear, Int4Linear) else linear.weight.dtype


def _error(packed: Packed, linear: Unpacked) -> float:
    """Over inputs that are whole steps of 8 and 16 bits: rounding them is no part of it."""
    ramp = torch.linspace(-127, 127, linear.in_features).round_().div_(127)
    # Ones are the worst for a processor that adds up products of eight bits in sixteen.
    inputs = torch.stack((ramp, torch.ones_like(ramp))).to(_dtype(linear))
    expected, found = linear(inputs).float(), packed(inputs).float()
    return float((found - expected).norm() / expected.norm().clamp(min=1e-6))
