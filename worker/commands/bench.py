"""Measures the engine's speed on this machine, side by side with the stock model."""

from engine.bench import add_arguments
from engine.bench import measure as run

__all__ = ["add_arguments", "run"]
