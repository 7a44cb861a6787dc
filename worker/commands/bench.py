"""Measures the engine's speed on this machine, side by side with the stock model."""

from __future__ import annotations

import argparse

from engine.bench import add_arguments, measure
from worker.settings.options import require_writable

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    require_writable("--json", arguments.json)
    return measure(arguments)
