"""Weights in the layout that the CPU's matrix library reads fastest, made once, at load.

torch's own linear layer hands a weight to MKL as it lies, or, in half precision, rearranges it at
each call. Arranged once by oneDNN, it takes as much memory and is faster at nearly any number of
tokens (figures: tests/bench/RESULTS.md). An output layer that shares its weight with the embedding,
which must stay readable, is the exception: it becomes a second copy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

DTYPES = (torch.float32, torch.bfloat16)
# Tokens at once that the layout is chosen for: one made for a single token is poor at others, one
# made for several is the best at any.
PACKED_FOR = 16
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


class PackedLinear(nn.Module):
    """A linear layer whose weight only oneDNN can read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.packed = _ops().mkldnn._reorder_linear_weight(linear.weight.detach(), PACKED_FOR)
        self.bias = linear.bias

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        linear = _ops().mkldnn._linear_pointwise
        outputs: Tensor = linear(inputs, self.packed, self.bias, "none", [], "")
        return outputs


def pack_linears(model: nn.Module) -> None:
    """Pack what can be packed, on a CPU; a layer that then answers otherwise stays as it was."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if _is_plain(child):
                packed = _packed(child)
                if packed is not None:
                    setattr(parent, name, packed)


def _ops() -> Any:
    return torch.ops


def _is_plain(module: nn.Module) -> bool:
    """Not a quantised weight, say, which has a layout of its own."""
    if not isinstance(module, nn.Linear):
        return False
    weight = module.weight
    return type(weight.data) is Tensor and weight.dtype in DTYPES and weight.device.type == "cpu"


@torch.inference_mode()
def _packed(linear: Any) -> PackedLinear | None:
    """None if oneDNN cannot take it, or computes something else."""
    try:
        packed = PackedLinear(linear)
        inputs = torch.linspace(-1, 1, 2 * linear.in_features).view(2, -1).to(linear.weight.dtype)
        expected, found = linear(inputs).float(), packed(inputs).float()
    except (AttributeError, RuntimeError):
        return None
    error = (found - expected).norm() / expected.norm().clamp(min=1e-6)
    return packed if error <= TOLERANCE[linear.weight.dtype] else None
