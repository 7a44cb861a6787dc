"""What a user says, one text a line: typed, or read from a script."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from worker.settings.options import UsageError


@contextmanager
def user_texts(script: str | None) -> Iterator[Iterable[str]]:
    """The lines of a file, of standard input ("-") as they come, or typed (None). UsageError."""
    if script is None:
        yield _typed()
    elif script == "-":
        yield _lines(sys.stdin.buffer)
    else:
        try:
            file = Path(script).open("rb")  # noqa: SIM115 (closed below; only opening may fail so)
        except OSError as error:
            raise UsageError(f"--turns={script!r} cannot be read: {error.strerror}") from None
        with file:
            yield _lines(file)


def _lines(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(iter(file.readline, b""), 1):
        yield _decoded(line, number)


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise UsageError(f"--turns: line {number} is not UTF-8") from None


def _typed() -> Iterator[str]:
    keyboard = sys.stdin
    if isinstance(keyboard, TextIOWrapper):
        keyboard.reconfigure(errors="replace")  # a slip of the keyboard must not end the chat
    while True:
        sys.stdout.write("> ")
        sys.stdout.flush()
        if isinstance(keyboard, TextIOWrapper):
            _wait_for_line(keyboard)
        line = keyboard.readline()
        if not line:
            return
        yield line


def _wait_for_line(keyboard: TextIOWrapper) -> None:
    """Until a line is there, the keyboard is gone or a signal came, whenever it came.

    A Ctrl-C just before a blocking read would be noticed after the next line only. Here the signal
    itself writes into a pipe that is waited for as well.
    """
    signalled, signals = os.pipe()
    os.set_blocking(signals, False)
    before = signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
    try:
        select.select([keyboard.fileno(), signalled], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(signals)
        os.close(signalled)
