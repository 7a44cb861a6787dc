"""Read a text past the window in several ways and compare them, as the StreamingLLM paper does.

The policies: dense (plain attention, memory grows), window (recent tokens alone), recompute (the
last window anew for each token), blocks (half of the rest leaves at a time), sinks (Weir). Each
reads the same tokens until a limit or the end of the text. The picture shows perplexity and memory
over the tokens read; the last line printed is a JSON object. Ctrl-C ends the reading and shows what
there is.
"""

from __future__ import annotations

import argparse
import math
from importlib import import_module
from pathlib import Path

from worker.cli import INTERRUPTED
from worker.commands.evals.shared_options import (
    add_reading_options,
    add_window_options,
    config_from,
    texts_from,
)
from worker.commands.interrupts import Interrupts
from worker.settings.options import UsageError, positive_number, require_writable

POLICIES = "dense,window,recompute,blocks,sinks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_reading_options(parser)
    add_window_options(parser)
    parser.add_argument(
        "--policies",
        default=POLICIES,
        metavar="NAMES",
        help="commas between them; dense:20000 ends after so many tokens (default: %(default)s)",
    )
    parser.add_argument(
        "--max-seconds",
        type=positive_number,
        default=math.inf,
        metavar="SECONDS",
        help="end a policy after so long",
    )
    parser.add_argument(
        "--max-kv-bytes",
        type=positive_number,
        default=math.inf,
        metavar="BYTES",
        help="end a policy that holds more keys and values than this",
    )
    parser.add_argument(
        "--png",
        type=Path,
        default=Path("perplexity.png"),
        metavar="FILE",
        help="where the curves are drawn (default: %(default)s)",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="write the curves here as they grow, as JSON lines"
    )


def run(arguments: argparse.Namespace) -> int:
    """INTERRUPTED if Ctrl-C came; what had been read is printed and drawn all the same."""
    if arguments.png.suffix != ".png":
        raise UsageError(f"--png={arguments.png}: the name must end with .png")
    require_writable("--png", arguments.png)
    require_writable("--log", arguments.log)
    perplexity = import_module("engine.evals.perplexity")  # late: `--help` needs no torch
    comparison = perplexity.Comparison(
        config_from(arguments),
        texts_from(arguments),
        _policies(arguments.policies, arguments.max_tokens),
        max_seconds=arguments.max_seconds,
        max_kv_bytes=arguments.max_kv_bytes,
    )
    interrupts = Interrupts()
    with interrupts:
        perplexity.run(
            comparison,
            picture=arguments.png,
            log=arguments.log,
            is_stopped=lambda: interrupts.came,
        )
    return INTERRUPTED if interrupts.came else 0


def _policies(names: str, max_tokens: int) -> dict[str, int]:
    """Name -> the tokens that it reads at most."""
    policies = {}
    for word in names.split(","):
        name, _, limit = word.strip().partition(":")
        if limit and not limit.isdecimal():
            raise UsageError(f"--policies={names}: {limit!r} must be a number of tokens")
        policies[name] = min(max_tokens, int(limit)) if limit else max_tokens
    return policies
