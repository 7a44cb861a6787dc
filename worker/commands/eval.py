"""Measures a model. `perplexity` compares what windows do to it, as the StreamingLLM paper does."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from worker.options import OneLineParser

MEASURES = {"perplexity": "engine.perplexity"}


def run_with(argv: Sequence[str]) -> int:
    parser = OneLineParser(prog="weir eval", description=__doc__)
    parser.add_argument("measure", choices=MEASURES, help="what to measure; --help after it")
    chosen = parser.parse_args(argv[:1])
    return int(import_module(MEASURES[chosen.measure]).main(argv[1:]))
