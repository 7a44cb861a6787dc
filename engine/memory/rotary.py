"""Turning queries and keys by a number of positions, exactly as the model's own rotation would."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Layout = Literal["halves", "interleaved"]


@dataclass(frozen=True, eq=False)
class Rotary:
    """How one layer turns the first `width` numbers of a head; width 0 is a layer without rope.

    Pair i turns by position * inv_freq[i]. "halves" pairs number i with number i + width / 2
    (Llama), "interleaved" pairs number 2i with number 2i + 1 (Cohere, GLM).
    """

    inv_freq: Tensor  # (width / 2,) float32, or float64
    layout: Layout = "halves"

    @property
    def width(self) -> int:
        return 2 * self.inv_freq.numel()

    def angles(self, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of `turns` positions, of inv_freq's dtype: (..., width / 2) each."""
        radians = turns.double().unsqueeze(-1) * self.inv_freq.double()
        return radians.cos().to(self.inv_freq.dtype), radians.sin().to(self.inv_freq.dtype)

    def turn(self, heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Turn (..., head_dim) in float32, or float64, and return it in its own dtype.

        A pure rotation: whatever scaling the model put into its keys and queries stays as it is.
        """
        turned = heads.to(torch.promote_types(heads.dtype, torch.float32))
        first, second = self._pairs(turned)
        pieces = [
            (first * cos).addcmul_(second, sin, value=-1),
            (second * cos).addcmul_(first, sin),
        ]
        if self.layout == "interleaved":
            pieces = [torch.stack(pieces, dim=-1).flatten(-2)]
        if self.width < heads.shape[-1]:
            pieces.append(turned[..., self.width :])
        return torch.cat(pieces, dim=-1).to(heads.dtype)

    def _pairs(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        if self.layout == "interleaved":
            return heads[..., 0 : self.width : 2], heads[..., 1 : self.width : 2]
        half = self.width // 2
        return heads[..., :half], heads[..., half : self.width]
