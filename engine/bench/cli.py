"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.bench.gpu.run_size import FULL as FULL_GPU
from engine.bench.gpu.run_size import QUICK as QUICK_GPU
from engine.bench.gpu.run_size import REHEARSAL
from engine.bench.peers.environment import default_cache
from engine.bench.peers.run_size import FULL as FULL_PEERS
from engine.bench.peers.run_size import QUICK as QUICK_PEERS
from engine.bench.run_size import FULL, QUICK
from engine.config import DTYPES
from engine.errors import ConfigError, EngineError

MODELS = ("bundled", "llama-27m")
# What the engine's aims are stated for, and what most machines would really use.
USUAL_DTYPES = ("float32", "bfloat16")
QUICK_DTYPES = ("float32",)
# Of each kind that is profiled.
FULL_STEPS = 40
QUICK_STEPS = 5


def main(argv: Sequence[str]) -> int:
    """`python -m engine.bench`; `weir bench` says wrong options in its own way."""
    parser = argparse.ArgumentParser(
        prog="weir bench",
        description="The engine side by side with stock transformers, on this machine's CPU.",
    )
    add_arguments(parser)
    return measure(parser.parse_args(argv))


def measure(options: argparse.Namespace) -> int:
    """Measure, print tables and, as the last line, one JSON object. 1 if a model is refused."""
    try:
        _measure(options)
    except EngineError as error:
        print(f"weir bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(options: argparse.Namespace) -> None:
    # Read when torch is loaded: below it, the profiler tells of every start and stop.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    # Only now: whoever asks for --help need not wait for torch.
    from engine.sizing.machine import num_usable_cores  # noqa: PLC0415

    shared: dict[str, Any] = {
        "models": options.model or MODELS,
        "dtypes": options.dtype or (QUICK_DTYPES if options.quick else USUAL_DTYPES),
        "num_threads": num_usable_cores(),
        "json_path": options.json,
    }
    if options.gpu:
        if options.model or options.dtype:
            raise ConfigError("--gpu has models of its own: leave out --model and --dtype.")
        from engine.bench.gpu.run import run_gpu  # noqa: PLC0415

        gpu_size = QUICK_GPU if options.quick else FULL_GPU
        run_gpu(
            device_name=options.device,
            run_size=REHEARSAL if options.device == "cpu" else gpu_size,
            num_threads=shared["num_threads"],
            json_path=options.json,
        )
    elif options.peers:
        from engine.bench.peers.run import run_peers  # noqa: PLC0415

        peer_size = QUICK_PEERS if options.quick else FULL_PEERS
        run_peers(**shared, run_size=peer_size, cache=options.cache or default_cache())
    elif options.profile:
        from engine.bench.dissect import dissect  # noqa: PLC0415

        dissect(**shared, num_steps=QUICK_STEPS if options.quick else FULL_STEPS)
    else:
        from engine.bench.run import run  # noqa: PLC0415

        run_size = QUICK if options.quick else FULL
        run(**shared, run_size=run_size, num_tokens=options.tokens)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_kinds(parser)
    _add_details(parser)


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--peers",
        action="store_true",
        help="side by side with attention_sinks and llama.cpp instead, each in a virtual "
        "environment of its own that pip makes once (llama.cpp is compiled: about ten minutes)",
    )
    instead.add_argument(
        "--gpu",
        action="store_true",
        help="instead: models of random weights in bfloat16 on a GPU, as shares of what the card "
        "can do (under nine minutes, --quick under two)",
    )
    instead.add_argument(
        "--profile", action="store_true", help="where the time of a step goes instead"
    )
    instead.add_argument(
        "--tokens",
        type=_count,
        metavar="N",
        help="really feed N tokens before measuring whether speed and memory are level, however "
        "long it takes (default: a million, in float32 and where the machine is fast enough)",
    )


def _add_details(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a rough answer in under a minute")
    parser.add_argument(
        "--model",
        action=_Several,
        metavar="MODEL",
        help="bundled, llama-27m (random weights), a directory or a hub id; may be repeated "
        f"(default: {' and '.join(MODELS)})",
    )
    parser.add_argument(
        "--dtype",
        action=_Several,
        choices=DTYPES,
        help=f"may be repeated (default: {' and '.join(USUAL_DTYPES)}, "
        f"with --quick {QUICK_DTYPES[0]})",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="where the environments of the peers lie (default: ~/.cache/weir/peers)",
    )
    parser.add_argument(
        "--device",
        default="cuda",
        metavar="DEVICE",
        help="of --gpu: cuda, cuda:N, or cpu for a rehearsal with tiny models (default: cuda)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON object here too")


class _Several(argparse.Action):
    """May be repeated. Unlike "append", what is given replaces a default instead of joining it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, nargs=1)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is self.default else [*before, *values])


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)
