"""What a model needs on this machine, or on one that you name: bytes to the last one, the formats,
rows and chunks that a worker would choose, and whether so many streams fit.

Nothing is loaded for it, so that a model can be planned for before it is fetched; only --measure
loads it. What the settings say (WEIR_DTYPE, WEIR_NUM_ROWS, ...) is taken as said.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib import import_module

import engine
from engine import EngineError, Plan
from worker.settings.config import Settings
from worker.settings.options import add_settings, settings_from
from worker.stream.kit import asked, plain_config

FORMATS = ("dtype", "kv_dtype", "weight_dtype", "compute_dtype")
SIZES = ("num_rows", "max_chunk", "max_step_tokens", "num_sinks", "num_recent")
UNITS = {"": 1, "MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
# What somebody says in a second, and what is written of it: a summary of a hundred tokens for each
# five hundred.
SPOKEN_TOKENS, WRITTEN_PER_TOKEN = 3.5, 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument(
        "--streams", type=_number, default=1, metavar="N", help="how many (default: 1)"
    )
    memory = parser.add_mutually_exclusive_group()
    memory.add_argument(
        "--memory", type=_bytes, metavar="SIZE", help="as if there were so much: 16GB, 512MB"
    )
    memory.add_argument(
        "--gpu-memory", type=_bytes, metavar="SIZE", help="on a GPU that has so much: 80GB"
    )
    parser.add_argument(
        "--measure", action="store_true", help="load it, and say how fast it is: half a minute"
    )
    add_settings(
        parser,
        ("model", "device", *FORMATS, *SIZES, "park_host_bytes", "num_threads", "models_dir"),
    )


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    if arguments.gpu_memory and settings.device == "cpu":
        settings = settings.model_copy(update={"device": "cuda"})
    try:
        plan = engine.planned(
            plain_config(settings),
            asked(settings),
            num_streams=arguments.streams,
            memory_bytes=arguments.memory or arguments.gpu_memory,
        )
        print("\n".join(plan_lines(plan)), flush=True)
        if arguments.measure:
            _measure(plan)
    except EngineError as error:
        sys.stderr.write(f"weir plan: {error}\n")
        return 2
    return 0 if plan.fits else 1


def plan_lines(plan: Plan) -> list[str]:
    config = plan.config
    weights = config.weight_dtype or config.dtype
    rows = config.kv_dtype or config.dtype
    window = config.window
    lines = [
        f"{config.model} on {config.device}, {plan.num_weights:,} weights",
        _row(
            "weights", plan.weight_bytes, f"linear layers in {weights}, the others {config.dtype}"
        ),
        _row("a stream", plan.bytes_per_row, f"{window.size:,} tokens in {rows}"),
        _row("rows", plan.kv_bytes_total, f"{config.num_rows}, reserved at the start"),
    ]
    if plan.num_parked:
        in_host = f"of {plan.num_parked:,} streams that have no row, when they are idle"
        lines.append(_row("parked", plan.host_bytes, f"in memory, {in_host}"))
    if plan.disk_bytes:
        lines.append(_row("", plan.disk_bytes, "beyond WEIR_PARK_HOST_BYTES, on disk"))
    place = "memory" if config.device == "cpu" else "the GPU's memory"
    more = ", with about 0.6 GB for Python and PyTorch" if config.device == "cpu" else ""
    verdict = "fits" if plan.fits else "DOES NOT FIT"
    lines.append(
        _row("together", plan.needed_bytes, f"of {plan.memory_bytes:,} of {place}{more}: {verdict}")
    )
    return [*lines, f"the same in full: {' '.join(_in_full(plan))}"]


def _row(name: str, num_bytes: int, what: str) -> str:
    return f"  {name:<9}{num_bytes:>16,} bytes  {what}"


def _in_full(plan: Plan) -> list[str]:
    config = plan.config
    values = {
        "dtype": config.dtype,
        "kv_dtype": config.kv_dtype or config.dtype,
        "weight_dtype": config.weight_dtype or "same",
        "num_rows": config.num_rows,
        "max_chunk": config.max_chunk,
        "max_step_tokens": config.max_step_tokens,
    }
    prefix = Settings.model_config["env_prefix"]
    return [f"{prefix}{name.upper()}={value}" for name, value in values.items()]


def _measure(plan: Plan) -> None:
    speeds_of = import_module("engine.bench.speeds").measure_speeds  # late: it needs torch
    speeds = speeds_of(engine.Engine.load(plan.config))
    num_streams = speeds.streams_of(SPOKEN_TOKENS, written_per_token=WRITTEN_PER_TOKEN)
    print(
        f"measured: feeds {speeds.fed:,.0f} tokens/s, decodes {speeds.decoded:,.1f} alone and "
        f"{speeds.decoded_together:,.1f} with {speeds.num_together} streams together: enough for "
        f"about {num_streams:,.0f} streams of somebody who talks all the time, summaries included"
    )


def _number(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT]I?B)?", text.strip().upper())
    size = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a size, as in 16GB, 512MB or 80GiB")
    return size
