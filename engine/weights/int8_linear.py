"""A linear layer with weights in int8 that multiplies integers, as processors made for it do best.

An input vector is rounded to steps of its own largest magnitude, so that it does not matter who
shares a step, and sums of integers are exact. In 16 bits hardly anything is lost (figures:
tests/bench/RESULTS.md); their two bytes are multiplied apart, which takes twice the products of 8.
Letters: T tokens, K inputs, N outputs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import ConfigError

# What a processor must say it has: without it oneDNN adds pairs of products in 16 bits, which is
# too few for them.
INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "amx_int8")
# The bytes of a code are unsigned, 128 standing for nothing, which is how oneDNN wants them.
ZERO = 128
LARGEST = {8: 127, 16: 127 * 256}
# Added to a number, it leaves its code in the last bytes of the float32, which from 2**23 on count
# in ones; what is halfway goes to the even neighbour, as `round` has it.
SHIFT = {8: 2.0**23 + ZERO, 16: 2.0**23 + ZERO * 256 + ZERO}
# The least there is: a vector of zeros is divided by it. A step of ordinary size swallows it, and
# one that is itself a few of the least grows by it, so that no code is larger than the largest.
TINY = torch.tensor(2.0**-149, dtype=torch.float32)
# A sum of K products of two bytes must fit in 31 bits.
MAX_INPUTS = (2**31 - 1) // (255 * 128)


class Int8Linear(nn.Module):
    """Inputs of `input_bits`, 8 or 16; `weight` (N, K) in torchao's int8, one scale an output.

    ValueError: a weight of another kind, or one that is not symmetric.
    """

    def __init__(self, weight: Any, bias: Tensor | None, input_bits: int) -> None:
        super().__init__()
        codes, scales, zeros = weight.qdata, weight.scale, weight.zero_point
        is_symmetric = zeros is None or not zeros.any()
        self.out_features, self.in_features = codes.shape
        if not is_symmetric or scales.numel() != len(codes) or self.in_features > MAX_INPUTS:
            raise ValueError("not int8 with one scale for each of its outputs")
        self.packed = _ops().onednn.qlinear_prepack(codes, None)
        self.scales = scales.flatten().float()
        self.bias = bias
        self.input_bits = input_bits
        self.largest_code = torch.tensor(LARGEST[input_bits], dtype=torch.float32)

    @property
    def weight_tensors(self) -> list[Tensor]:
        return [self.packed, self.scales]

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., K) -> (..., N). What is not finite in a vector spoils its own outputs alone."""
        vectors = inputs.reshape(-1, self.in_features)
        largest = vectors.abs().amax(-1, keepdim=True).float()
        steps = torch.addcdiv(TINY, largest, self.largest_code)
        shifted = (vectors / steps).add_(SHIFT[self.input_bits])
        products = self._of_8_bits(shifted) if self.input_bits == 8 else self._of_16_bits(shifted)
        outputs = products.mul_(steps).to(inputs.dtype)
        if self.bias is not None:
            outputs += self.bias
        return outputs.view(*inputs.shape[:-1], self.out_features)

    def _of_8_bits(self, shifted: Tensor) -> Tensor:
        return self._product(shifted.view(torch.int32).to(torch.uint8))

    def _of_16_bits(self, shifted: Tensor) -> Tensor:
        """256 times a code's upper byte, and its lower one: of both, what they are above ZERO."""
        num_tokens = len(shifted)
        products = self._product(_four_bytes(shifted) if num_tokens == 1 else _two_bytes(shifted))
        upper = products[num_tokens : 2 * num_tokens]
        return products[:num_tokens].add_(upper, alpha=256)

    def _product(self, codes: Tensor) -> Tensor:
        return _product(codes, self.packed, self.scales)


def _product(codes: Tensor, packed: Tensor, scales: Tensor) -> Tensor:
    """(T, K) bytes -> (T, N) float32."""
    product = partial(_ops().onednn.qlinear_pointwise, codes, 1.0, ZERO)
    nothing_more: Any = (None, 1.0, 0, torch.float32, "none", [], "")
    answers: Tensor = product(packed, scales, None, *nothing_more)
    return answers


def _two_bytes(shifted: Tensor) -> Tensor:
    """(T, K) float32 -> (2 T, K): the last byte of each, then the one before it."""
    whole = shifted.view(torch.int32)
    both = torch.empty(2, *whole.shape, dtype=torch.uint8)
    both[0].copy_(whole)  # what does not fit is cut off
    both[1].copy_(whole.bitwise_right_shift_(8))
    return both.flatten(0, 1)


def _four_bytes(shifted: Tensor) -> Tensor:
    """(1, K) float32 -> (4, K): all bytes, the last first.

    The two on top say nothing; but oneDNN reads a weight faster for four tokens than for two, and
    for one token turning all over is less work than taking two apart.
    """
    return shifted.view(torch.uint8).view(-1, 4).T.contiguous()


def multiplies_int8(device: str) -> bool:
    """Whether this is a processor with instructions for it, which oneDNN uses."""
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device == "cpu" and any(has.get(name) for name in INSTRUCTIONS) and _sums_are_right()


def _sums_are_right() -> bool:
    """The largest there are: ONEDNN_MAX_CPU_ISA can forbid what the processor says it has."""
    codes = torch.full((1, 64), 127, dtype=torch.int8)
    inputs = torch.full((1, 64), 255, dtype=torch.uint8)
    try:
        packed = _ops().onednn.qlinear_prepack(codes, None)
        return _product(inputs, packed, torch.ones(1)).item() == 64 * (255 - ZERO) * 127
    except (AttributeError, RuntimeError):
        return False


def require_int8_products(device: str) -> None:
    """ConfigError where compute_dtype="int8" cannot be had."""
    if not multiplies_int8(device):
        raise ConfigError(
            f"compute_dtype='int8' needs a CPU with one of {', '.join(INSTRUCTIONS)}, and a "
            f"PyTorch that can tell and may use it (see ONEDNN_MAX_CPU_ISA), which {device!r} "
            "is not: leave it out."
        )


def _ops() -> Any:
    return torch.ops
