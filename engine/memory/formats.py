"""How the KV store keeps numbers: as they were computed, in half precision, or in int8.

A vector is one token's key or value of one head. It is rounded once, when it is computed, before
anybody sees it: so whether it is read from its row or, in the step that made it, beside the row
makes no difference. Letters: T tokens, D numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

INT8_MAX = 127


@dataclass(slots=True)
class Kept:
    """Vectors as they are kept: `codes` (..., T, D); in int8 each vector's largest magnitude beside
    them, `peaks` (..., T) float32, and a code is its number in units of peak / 127."""

    codes: Tensor
    peaks: Tensor | None = None

    @property
    def tensors(self) -> list[Tensor]:
        return [self.codes] if self.peaks is None else [self.codes, self.peaks]

    @property
    def unit(self) -> float:
        """What a code of 1 is worth, in peaks where there are peaks."""
        return 1.0 if self.peaks is None else 1 / INT8_MAX

    def decoded(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The numbers, (..., T, D), in a floating-point type."""
        codes = self.codes.to(dtype)
        if self.peaks is None:
            return codes
        return codes * (self.peaks.to(dtype) / INT8_MAX).unsqueeze(-1)

    def __len__(self) -> int:
        """T."""
        return self.codes.shape[-2]

    def __getitem__(self, where: Any) -> Kept:
        """A part, by an index that leaves D alone: a view if the index makes one."""
        return Kept(self.codes[where], None if self.peaks is None else self.peaks[where])

    def __setitem__(self, where: Any, other: Kept) -> None:
        self.codes[where] = other.codes
        if self.peaks is not None and other.peaks is not None:
            self.peaks[where] = other.peaks

    def transpose(self, one: int, other: int) -> Kept:
        peaks = None if self.peaks is None else self.peaks.transpose(one, other)
        return Kept(self.codes.transpose(one, other), peaks)

    def flatten(self, first: int, last: int) -> Kept:
        peaks = None if self.peaks is None else self.peaks.flatten(first, last)
        return Kept(self.codes.flatten(first, last), peaks)


@dataclass(frozen=True)
class Floats:
    """Each number in a floating-point type of its own."""

    dtype: torch.dtype

    @property
    def name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    @property
    def is_rough(self) -> bool:
        """Whether rounding once more costs more than angles of large positions do."""
        return self.dtype.itemsize <= 2

    def num_bytes(self, dim: int) -> int:
        """Of a vector of `dim` numbers."""
        return dim * self.dtype.itemsize

    def room(self, shape: Sequence[int], device: torch.device) -> Kept:
        return Kept(torch.zeros(*shape, dtype=self.dtype, device=device))

    def encode(self, numbers: Tensor) -> Kept:
        return Kept(numbers.to(self.dtype))


@dataclass(frozen=True)
class Int8:
    """Each number in 127 steps to either side of 0, up to its vector's largest magnitude."""

    name: ClassVar[str] = "int8"
    is_rough: ClassVar[bool] = True

    def num_bytes(self, dim: int) -> int:
        return dim + torch.float32.itemsize

    def room(self, shape: Sequence[int], device: torch.device) -> Kept:
        codes = torch.zeros(*shape, dtype=torch.int8, device=device)
        return Kept(codes, torch.zeros(*shape[:-1], device=device))

    def encode(self, numbers: Tensor) -> Kept:
        peaks = numbers.abs().amax(dim=-1).float()
        # A vector of zeros has codes of zero, whatever it is divided by.
        divisors = peaks.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(-1)
        return Kept((numbers / divisors * INT8_MAX).round_().to(torch.int8), peaks)


Format = Floats | Int8


def format_of(name: str) -> Format:
    """`name` as in EngineConfig.kv_dtype."""
    return Int8() if name == "int8" else Floats(getattr(torch, name))
