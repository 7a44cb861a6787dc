"""Processors with and without products of int8, for the tests that need the one or the other."""

from __future__ import annotations

import pytest
import torch
from hypothesis import strategies as st

from engine.weights.int8_linear import INSTRUCTIONS, multiplies_int8

needs_products = pytest.mark.skipif(
    not multiplies_int8("cpu"), reason=f"this processor has none of {', '.join(INSTRUCTIONS)}"
)


def without_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    has = {"avx2": True, "avx512_vnni": False, "amx_int8": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)


def generators() -> st.SearchStrategy[torch.Generator]:
    return st.integers(0, 2**31).map(torch.Generator().manual_seed)
