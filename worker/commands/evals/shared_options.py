"""What the measures have in common: text, model and window, and lists of numbers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from engine import EngineConfig
from worker.settings.options import UsageError, add_settings, settings_from

if TYPE_CHECKING:
    from engine.evals.texts import Texts


MODEL_SETTINGS = ("model", "dtype", "device", "models_dir")


def add_reading_options(
    parser: argparse.ArgumentParser, *, settings: Iterable[str] = MODEL_SETTINGS
) -> None:
    parser.add_argument(
        "--text",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="UTF-8 texts, read one after the other as one; .gz is unpacked",
    )
    parser.add_argument(
        "--repeat", action="store_true", help="begin the text again when it is too short"
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=4096,
        metavar="TOKENS",
        help="read this many of the text's tokens (default: %(default)s)",
    )
    add_settings(parser, settings)


def add_window_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--num-sinks", type=int, default=4, metavar="SINKS", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--num-recent", type=int, default=252, metavar="RECENT", help="(default: %(default)s)"
    )


def config_from(arguments: argparse.Namespace) -> EngineConfig:
    """Raises engine.ConfigError, UsageError."""
    settings = settings_from(arguments)
    return EngineConfig(
        settings.model,
        num_sinks=arguments.num_sinks,
        num_recent=arguments.num_recent,
        dtype=settings.dtype or "float32",
        device=settings.device,
        models_dir=settings.models_dir,
    )


def texts_from(arguments: argparse.Namespace) -> Texts:
    texts: Texts = import_module("engine.evals.texts").Texts(
        tuple(arguments.text), repeat=arguments.repeat
    )
    return texts


def numbers(option: str, words: str) -> list[int]:
    """Without repetition, in the order in which they are given."""
    try:
        return list(dict.fromkeys(int(word) for word in words.split(",")))
    except ValueError:
        raise UsageError(f"{option}={words}: must be whole numbers, as in 1,2,4") from None
