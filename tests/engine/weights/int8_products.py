"""Processors with and without products of int8, for the tests that need the one or the other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from engine.weights import int8_linear
from engine.weights.int8_linear import INSTRUCTIONS, multiplies_int8

needs_products = pytest.mark.skipif(
    not multiplies_int8("cpu"),
    reason=f"no {', '.join(INSTRUCTIONS)} here, or oneDNN may not use it",
)


def without_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    has = {"avx2": True, "avx512_vnni": False, "amx_int8": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)


def with_instructions(monkeypatch: pytest.MonkeyPatch, name: str = INSTRUCTIONS[0]) -> None:
    """One of them, and an oneDNN that uses it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True}, raising=False)
    monkeypatch.setattr(int8_linear, "_ops", lambda: PlainProducts(saturates=False))


def generators() -> st.SearchStrategy[torch.Generator]:
    return st.integers(0, 2**31).map(torch.Generator().manual_seed)


class PlainProducts:
    """oneDNN's products of bytes; a processor that saturates adds up pairs of them in 16 bits."""

    def __init__(self, *, saturates: bool) -> None:
        self.onednn = self
        self.saturates = saturates

    def qlinear_prepack(self, codes: Tensor, _: None) -> Tensor:
        return codes

    def qlinear_pointwise(
        self, inputs: Tensor, scale: float, zero: int, codes: Tensor, scales: Tensor, *_: Any
    ) -> Tensor:
        products = inputs.unsqueeze(1).int() * codes.int()
        if self.saturates:
            products = products.unflatten(-1, (-1, 2)).sum(-1).clamp(-(2**15), 2**15 - 1)
        sums = products.sum(-1) - zero * codes.int().sum(-1)
        return (sums * scales * scale).float()
