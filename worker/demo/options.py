"""What `weir demo` can be told."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from worker.settings.options import add_settings

DEFAULT_SPEED = 12.0
"""The half-hour talk takes two minutes and a half."""

MAX_STREAMS = 32


@dataclass(frozen=True)
class DemoOptions:
    """file: None for the shipped talk, "-" for standard input. speed: inf is as fast as it goes.
    model: None for the model of the environment, which is the bundled one if it names none."""

    file: str | None = None
    speed: float = DEFAULT_SPEED
    streams: int = 1
    keep: bool = False
    plain: bool = False
    model: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> DemoOptions:
        return cls(
            file=arguments.file,
            speed=arguments.speed,
            streams=arguments.streams,
            keep=arguments.keep,
            plain=arguments.plain,
            model=getattr(arguments, "model", None),
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        metavar="PATH",
        help="publish this instead of the shipped talk: any file that `weir publish` reads; - "
        "reads standard input",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=DEFAULT_SPEED,
        metavar="X",
        help=f"times real time, or max for as fast as it goes (default: {DEFAULT_SPEED:g})",
    )
    parser.add_argument(
        "--streams",
        type=_num_streams,
        default=1,
        metavar="N",
        help=f"publish the same talk to N streams at once, 1 to {MAX_STREAMS} (default: 1)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave server and worker running until Ctrl-C"
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="no live screen, a line for everything that happens (always so in a pipe)",
    )
    add_settings(parser, ["model"])


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, or max")
    return speed


def _num_streams(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_STREAMS):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 1 to {MAX_STREAMS}")
    return int(text)
