"""Read a text past the window in several ways and compare them, as the StreamingLLM paper does.

The policies: dense (plain attention, memory grows), window (recent tokens alone), recompute (the
last window anew for each token), blocks (half of the rest leaves at a time), sinks (Weir). Each
reads the same tokens; the table gives perplexity, speed and memory, the PNG the running loss.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from worker.options import add_settings, settings_from

POLICIES = "dense,window,recompute,blocks,sinks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a UTF-8 text")
    parser.add_argument(
        "--policies",
        default=POLICIES,
        metavar="NAMES",
        help="commas between them (default: %(default)s)",
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=4096,
        metavar="TOKENS",
        help="read this many of the text's tokens (default: %(default)s)",
    )
    parser.add_argument(
        "--num-sinks", type=int, default=4, metavar="SINKS", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--num-recent", type=int, default=252, metavar="RECENT", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--png",
        type=Path,
        default=Path("perplexity.png"),
        metavar="FILE",
        help="where the running loss is drawn (default: %(default)s)",
    )
    add_settings(parser, ["model", "dtype", "device"])


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    import_module("engine.evaluate").run(  # late: `--help` needs no torch
        model=settings.model,
        text=arguments.text,
        policies=[name.strip() for name in arguments.policies.split(",")],
        num_sinks=arguments.num_sinks,
        num_recent=arguments.num_recent,
        max_tokens=arguments.max_tokens,
        png=arguments.png,
        dtype=settings.dtype,
        device=settings.device,
    )
    print(f"drawn: {arguments.png}")
    return 0
