"""Linear layers with weights in int4, in groups of 32 inputs with a scale and a zero each.

As torchao's codes they are readable, and unpacked for each product. Arranged for the operation that
PyTorch's CPU build has for them they are read as they lie, which for a few tokens is many times as
fast; that is for bfloat16 alone, to which the operation rounds whatever it is given.
Letters: T tokens, K inputs, G groups of them, N outputs, N' a whole number of blocks of them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.config import INT4_GROUP as GROUP

# Codes count from 0 to 15, and the operation takes 8 off them.
MIDDLE = 8
# With more tokens it is faster to unpack the weights once than to have each four tokens do it.
MOST_TOKENS_AS_THEY_LIE = 64
# Outputs that lie together, by what PyTorch makes of the processor.
BLOCK = {"AVX512": 64, "AVX2": 32}
TOLERANCE = 2e-2  # of the norm of the weights; rounding scales and zeros takes a tenth of it


class Int4Linear(nn.Module):
    """`codes` (N, K) from 0 to 15; a weight is (code - zero) * scale of its group, (N, G, 1) each.

    A byte of `packed` (N, K / 2) is two codes: input k's in its lower half, input (k + K / 2)'s in
    its upper one. `dtype` is that of the inputs.
    """

    def __init__(
        self, codes: Tensor, scales: Tensor, zeros: Tensor, bias: Tensor | None, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = codes.shape
        self.dtype = dtype
        low, high = codes.chunk(2, dim=1)
        # Parameters, so that the model counts them and moves them; integers have no gradient.
        self.packed = nn.Parameter(low | (high << 4), requires_grad=False)
        self.scales = nn.Parameter(scales, requires_grad=False)
        self.zeros = nn.Parameter(zeros, requires_grad=False)
        self.bias = bias

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.linear(inputs, self.unpacked(inputs.dtype), self.bias)

    def codes(self) -> Tensor:
        """(N, K) uint8."""
        return torch.cat((self.packed & 15, self.packed >> 4), dim=1)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """(N, K)."""
        weights = self.codes().view(self.out_features, -1, GROUP).to(dtype)
        return weights.sub_(self.zeros.to(dtype)).mul_(self.scales.to(dtype)).flatten(1)


class PackedInt4Linear(nn.Module):
    """What `linear` computes in bfloat16, on a CPU.

    A byte of `packed` is two codes, of the outputs n and n + half a block. `steps` (G, N', 2) are
    a scale and what stands for MIDDLE: a weight is (code - MIDDLE) * scale + middle.
    ValueError: it is not known how this processor's codes lie.
    """

    def __init__(self, linear: Int4Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self.block = int4_block()
        if not self.block:
            raise ValueError("no layout is known for this processor")
        self.packed, self.steps = self._arranged(linear)
        expected = linear.unpacked(torch.bfloat16)
        found = self.unpacked().T[: self.out_features]
        if not (found - expected).norm() <= TOLERANCE * expected.norm():
            raise ValueError("the codes lie otherwise than they are known to")

    def _arranged(self, linear: Int4Linear) -> tuple[Tensor, Tensor]:
        num_missing = -self.out_features % self.block
        codes = nn.functional.pad(linear.codes().int(), (0, 0, 0, num_missing))
        packed = _ops().aten._convert_weight_to_int4pack_for_cpu(codes, 1)
        scales = linear.scales.float()
        middles = (MIDDLE - linear.zeros.float()) * scales
        steps = torch.cat((scales, middles), dim=2).transpose(0, 1)
        return packed, nn.functional.pad(steps, (0, 0, 0, num_missing)).bfloat16().contiguous()

    @property
    def weight_tensors(self) -> list[Tensor]:
        return [self.packed, self.steps]

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., K) -> (..., N), bfloat16."""
        # Some processors' products add up in another order where inputs lie another way.
        vectors = inputs.reshape(-1, self.in_features).contiguous()
        if len(vectors) <= MOST_TOKENS_AS_THEY_LIE:
            product = _ops().aten._weight_int4pack_mm_for_cpu
            outputs: Tensor = product(vectors, self.packed, GROUP, self.steps)
        else:
            outputs = vectors @ self.unpacked()
        outputs = outputs[:, : self.out_features]
        if self.bias is not None:
            outputs += self.bias
        return outputs.reshape(*inputs.shape[:-1], self.out_features)

    def unpacked(self) -> Tensor:
        """(K, N') bfloat16: the order in which unpacking is cheap, and no dearer to multiply."""
        blocks = self.packed.view(-1, self.in_features, self.block // 2)
        codes = torch.stack((blocks & 15, blocks >> 4), dim=2).transpose(0, 1).contiguous()
        differences = codes.view(torch.int8).sub_(MIDDLE).view(-1, GROUP, self.steps.shape[1])
        scales, middles = self.steps.permute(2, 0, 1).unsqueeze(2).contiguous()
        return torch.addcmul(middles, differences.bfloat16(), scales).flatten(0, 1)


def int4_block() -> int:
    """Outputs that lie together on this processor; 0 where that is not known."""
    return BLOCK.get(torch.backends.cpu.get_cpu_capability(), 0)


def _ops() -> Any:
    return torch.ops
