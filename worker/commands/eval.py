"""Measure a model. Each measure is a command of its own, a file in worker/commands/evals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from engine import EngineError
from worker.cli import MISUSED, run_command
from worker.settings.options import OneLineParser, menu_parser

MEASURES = {
    "formats": "compare number formats: bytes, speed and perplexity of one model in each",
    "lines": "ask an endless record for its lines, by distance from them",
    "perplexity": "read a text past the window in several ways and compare them",
    "sinks": "perplexity by number of sinks",
    "summary": "compare the summaries that a worker writes with people's, and with simple ways",
}


def run_with(argv: Sequence[str]) -> int:
    """The words after the measure belong to it, --help included."""
    parser = _parser()
    measure = parser.parse_args(argv[:1]).measure
    if measure is None:
        parser.print_help()
        return MISUSED
    name = f"eval {measure}"
    try:
        return run_command(import_module(f"worker.commands.evals.{measure}"), name, argv[1:])
    except EngineError as error:
        sys.stderr.write(f"weir {name}: {error}\n")
        return MISUSED


def _parser() -> OneLineParser:
    return menu_parser("weir eval", "measure", MEASURES, "Measure a model.")
