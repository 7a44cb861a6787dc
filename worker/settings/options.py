"""Command-line options that are environment variables as well, and errors of one line.

An option that is a setting (`--num-sinks`) is the variable of that name for every command
(`WEIR_NUM_SINKS`). An option of one command alone carries its name (`WEIR_PUBLISH_RATE`).
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from worker.settings.config import Settings, settings_error_line
from worker.settings.rules import ENV_PREFIX

# The password itself is no option: the arguments of a process are for all to see.
SERVER_SETTINGS = (
    *("redis_url", "redis_password_file", "sentinel_password_file"),
    *("redis_ca_file", "redis_cert_file", "redis_key_file", "redis_check_hostname"),
)
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class UsageError(Exception):
    """What the user asked for makes no sense; the message is one line that says what would."""


class OneLineParser(argparse.ArgumentParser):
    """Says in one line what is wrong; argparse itself prints its usage before that."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help says more)\n")


def menu_parser(prog: str, kind: str, entries: Mapping[str, str], what: str) -> OneLineParser:
    """For a word that says which of several programs is meant; what follows belongs to that one."""
    width = max(map(len, entries))
    lines = "\n".join(f"  {name:<{width}}  {help_}" for name, help_ in entries.items())
    variables = "_".join([*prog.upper().split(), ""])
    parser = OneLineParser(
        prog=prog,
        usage=f"{prog} {kind.upper()} [OPTIONS]",
        description=what,
        epilog=f"{kind}s:\n{lines}\n\n`{prog} {kind.upper()} --help` lists the options of a {kind} "
        f"and the {variables}* variables\nthat say the same.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(kind, nargs="?", choices=entries, help=argparse.SUPPRESS)
    return parser


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Options for these fields of Settings, described as they are there."""
    for name in names:
        field = Settings.model_fields[name]
        default = "" if field.default in (None, {}) else f" (default: {field.default})"
        parser.add_argument(
            _flag(name),
            default=argparse.SUPPRESS,
            metavar=name.rpartition("_")[2].upper(),
            help=_escaped(f"{field.description}{default} [{ENV_PREFIX}{name.upper()}]"),
        )


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The environment's settings, changed by the options. Raises UsageError."""
    given = given_settings(arguments)
    try:
        return Settings(**given)
    except ValidationError as error:
        line = settings_error_line(error)
        variable = line.partition("=")[0]
        name = variable.removeprefix(ENV_PREFIX).lower()
        raise UsageError(
            line.replace(variable, _flag(name), 1) if name in given else line
        ) from None


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as options, as they were typed."""
    return {n: value for n, value in vars(arguments).items() if n in Settings.model_fields}


def read_environment(parser: argparse.ArgumentParser, command: str) -> list[str]:
    """Let `WEIR_<COMMAND>_<OPTION>` be the default of every option of the command's own.

    Returns the names of these variables.
    """
    variables = []
    for action in parser._actions:
        if not action.option_strings or action.default == argparse.SUPPRESS:
            continue
        variable = f"{ENV_PREFIX}{command}_{action.dest}".upper()
        variables.append(variable)
        action.help = f"{action.help or ''} [{variable}]"
        if variable in os.environ:
            action.default = _value(parser, action, variable, os.environ[variable])
            action.required = False
    return variables


def require_writable(option: str, path: Path | None) -> None:
    """UsageError at the start and not at the end, when hours may have been spent. None is fine."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise UsageError(f"{option}={path}: there is no folder {path.parent}")
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise UsageError(f"{option}={path} cannot be written: {error.strerror}") from None


def positive_number(text: str) -> float:
    """An argparse type."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return number


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} must be a whole number from {least} to {most}"
            )
        return int(text)

    return read


def _value(
    parser: argparse.ArgumentParser, action: argparse.Action, variable: str, text: str
) -> Any:
    if action.nargs == 0:
        if text.lower() not in (*_TRUE, *_FALSE):
            parser.error(f"{variable}={text!r} must be 1 or 0")
        return text.lower() in _TRUE
    try:
        return parser._get_values(action, [text])
    except argparse.ArgumentError as error:
        parser.error(f"{variable}={text!r}: {error.message}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
