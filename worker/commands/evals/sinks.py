"""Perplexity by number of sinks: one text, read by windows of the same size that differ in that.

Only tokens past the largest window count. All windows read each chunk in turn; the last line that
is printed is a JSON object. Ctrl-C ends the reading and shows what there is.
"""

from __future__ import annotations

import argparse
from importlib import import_module

import engine
from worker.cli import INTERRUPTED
from worker.commands.evals.shared_options import add_reading_options, numbers, texts_from
from worker.commands.interrupts import Interrupts
from worker.settings.options import settings_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_reading_options(parser)
    parser.add_argument(
        "--sinks",
        default="0,1,2,4,8",
        metavar="NUMBERS",
        help="how many, commas between them (default: %(default)s)",
    )
    parser.add_argument(
        "--windows",
        default="256",
        metavar="SIZES",
        help="sinks and recent tokens together, commas between them (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """INTERRUPTED if Ctrl-C came; what had been read is printed all the same."""
    settings = settings_from(arguments)
    sinks = import_module("engine.evals.sinks")  # late: `--help` needs no torch
    choice = sinks.Choice(
        engine.EngineConfig(
            settings.model,
            dtype=settings.dtype or "float32",
            device=settings.device,
            models_dir=settings.models_dir,
        ),
        texts_from(arguments),
        numbers("--sinks", arguments.sinks),
        numbers("--windows", arguments.windows),
        arguments.max_tokens,
    )
    interrupts = Interrupts()
    with interrupts:
        results = sinks.run(choice, is_stopped=lambda: interrupts.came)
    import_module("engine.evals.sinks_report").print_sinks(results, choice)
    return INTERRUPTED if interrupts.came else 0
