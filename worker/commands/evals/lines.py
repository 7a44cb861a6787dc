"""Ask an endless record for what its lines said, by distance from the line, as StreamEval does.

The record grows by numbered lines, and every ten of them one question for each distance is put to
a copy of the stream: "The REGISTER_CONTENT in line 120 is". Beside it the model's own dense
attention answers from the last lines that fit into its trained length. The last line printed is a
JSON object. Ctrl-C ends the asking and shows what there is.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from worker.cli import INTERRUPTED
from worker.commands.evals.shared_options import (
    MODEL_SETTINGS,
    add_window_options,
    config_from,
    numbers,
)
from worker.commands.interrupts import Interrupts
from worker.settings.options import add_settings

DISTANCES = "0,1,2,3,5,10,20,40"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument(
        "--distances",
        default=DISTANCES,
        metavar="LINES",
        help="how many lines back to ask; commas between them (default: %(default)s)",
    )
    parser.add_argument(
        "--questions",
        type=int,
        default=50,
        metavar="NUMBER",
        help="how many for each distance (default: %(default)s)",
    )
    parser.add_argument(
        "--every", type=int, default=10, metavar="LINES", help="between questions (default: 10)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the record (default: 0)"
    )
    add_window_options(parser)
    add_settings(parser, MODEL_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """INTERRUPTED if Ctrl-C came; what had been answered is printed all the same."""
    retrieval = import_module("engine.evals.retrieval")  # late: `--help` needs no torch
    inquiry = retrieval.Inquiry(
        config_from(arguments),
        numbers("--distances", arguments.distances),
        num_questions=arguments.questions,
        every=arguments.every,
        seed=arguments.seed,
    )
    interrupts = Interrupts()
    with interrupts:
        results = retrieval.run(inquiry, is_stopped=lambda: interrupts.came)
    if results:
        import_module("engine.evals.distances").print_distances(results, inquiry)
    return INTERRUPTED if interrupts.came else 0
