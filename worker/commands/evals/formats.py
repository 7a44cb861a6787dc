"""Number formats side by side: bytes, tokens a second and perplexity of one model in each.

The models are all in memory and take turns; the last line that is printed is a JSON object. Formats
that cannot be had here are left out, with the reason: int8 and int4 weights need torchao (pip
install 'weir[quantized]'), and to compute in int8, a CPU that is made for it.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from worker.commands.evals.shared_options import add_reading_options, add_window_options, texts_from
from worker.settings.options import settings_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_reading_options(parser, settings=["model", "device", "models_dir"])
    add_window_options(parser)
    parser.add_argument(
        "--rounds",
        type=_rounds,
        default=5,
        metavar="N",
        help="turns of each format for the speeds (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    formats = import_module("engine.evals.number_formats")  # late: `--help` needs no torch
    trial = formats.Trial(
        settings.model,
        settings.device,
        texts_from(arguments),
        max_tokens=arguments.max_tokens,
        num_sinks=arguments.num_sinks,
        num_recent=arguments.num_recent,
        rounds=arguments.rounds,
        models_dir=settings.models_dir,
    )
    import_module("engine.evals.number_formats_report").print_formats(formats.run(trial), trial)
    return 0


def _rounds(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) < 1000):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 to 999")
    return int(text)
