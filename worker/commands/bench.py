"""Measures the engine's speed on this machine, side by side with the stock model."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module


def run_with(argv: Sequence[str]) -> int:
    return int(import_module("engine.bench").main(argv))
