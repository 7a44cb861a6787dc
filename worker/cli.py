"""`weir`: one command for people. Each subcommand is a file in worker/commands.

A command's file is loaded when it is used: `weir --help` needs neither torch nor Celery. Exit
codes: 0 done, 1 failed, 2 asked for wrongly, 130 ended by Ctrl-C. Every error is one line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from redis.exceptions import RedisError

from worker.keyspace.trouble import trouble_line
from worker.settings.config import misspelt
from worker.settings.menu import COMMANDS
from worker.settings.options import (
    OneLineParser,
    UsageError,
    menu_parser,
    read_environment,
    settings_from,
)

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; returns the exit code."""
    _replace_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _main_parser()
    # The words after the command belong to it, --help included.
    chosen = parser.parse_args(arguments[:1])
    if chosen.command is None:
        parser.print_help()
        return MISUSED
    try:
        return _run(chosen.command, arguments[1:])
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return FAILED
    except OSError as error:  # a disk that is full, a file that has gone
        sys.stderr.write(f"weir {chosen.command}: {error}\n")
        return FAILED


def _replace_closed_streams() -> None:
    """Under `weir chat >&-` there is no standard output: sys.stdout is None, and its number free
    for the next file that is opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _run(name: str, argv: list[str]) -> int:
    command = import_module(f"worker.commands.{name}")
    if hasattr(command, "run_with"):  # it reads its options itself
        return int(command.run_with(argv))
    return run_command(command, name, argv)


def run_command(command: ModuleType, name: str, argv: Sequence[str]) -> int:
    """`name` is what a person types after `weir`: one word, or a group and a word."""
    parser = OneLineParser(prog=f"weir {name}", description=_sentence(command))
    command.add_arguments(parser)
    prefix = name.replace(" ", "_")
    own = read_environment(parser, prefix)
    for variable, line in misspelt(os.environ, COMMANDS, prefix, own).items():
        sys.stderr.write(f"weir {name}: {line}\n")
        del os.environ[variable]  # said once: by Celery, or in a process of its own, it would again
    arguments = parser.parse_args(argv)
    try:
        return _run_with_server(command, arguments)
    except UsageError as error:
        sys.stderr.write(f"weir {name}: {error}\n")
        return MISUSED


def _run_with_server(command: ModuleType, arguments: argparse.Namespace) -> int:
    try:
        return int(command.run(arguments))
    except RedisError as error:
        sys.stderr.write(f"weir: {trouble_line(settings_from(arguments).redis_url, error)}\n")
        return FAILED


def _main_parser() -> OneLineParser:
    what = "Endless text streams in Redis, read by a model whose memory stays level."
    parser = menu_parser("weir", "command", COMMANDS, what)
    parser.add_argument("--version", action="version", version=f"weir {version('weir')}")
    return parser


def _sentence(command: ModuleType) -> str:
    """The first paragraph of the command's docstring says what it does."""
    return (command.__doc__ or "").partition("\n\n")[0]
