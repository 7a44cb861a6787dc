"""Publish text to a stream: every line of a file or of standard input becomes an entry. A line that
is a JSON object gives the entry's fields (text, speaker, start, end, ...).

What is published is there once, even if the connection breaks; while the server is away, it waits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from redis.exceptions import ConnectionError, TimeoutError
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from worker.commands.asking import check_name
from worker.intake.lines import BadLine, Pace, read_line
from worker.keyspace.connection import connect
from worker.keyspace.publisher import Publisher
from worker.settings.options import (
    SERVER_SETTINGS,
    UsageError,
    add_settings,
    positive_number,
    settings_from,
)

_RETRY_SECONDS = 1.0
_LONGEST_SLEEP_SECONDS = 3600.0  # a `start` may be any number, a sleep may not
_COLUMNS = (
    TextColumn("{task.completed:,.0f} entries, {task.fields[num_words]:,} words"),
    TimeElapsedColumn(),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="- is standard input")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=positive_number, metavar="W", help="words per second")
    pace.add_argument(
        "--speed",
        type=positive_number,
        metavar="X",
        help="play it at X times the speed of its `start` and `end` times (JSON lines)",
    )
    parser.add_argument(
        "--end", action="store_true", help="say that the stream ends, after the last line"
    )
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """1 if some lines could not be published."""
    check_name(arguments.key)
    pace = Pace(words_per_second=arguments.rate, speed=arguments.speed)
    with connect(settings_from(arguments)) as redis, _opened(arguments.file) as file:
        redis.ping()
        # On a terminal it moves; in a pipe or a log it would be noise.
        console = Console(stderr=True, highlight=False)
        with Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress:
            publishing = _Publishing(Publisher(redis, arguments.key), progress)
            publishing.publish(pace.due(publishing.entries(file)))
            if arguments.end:
                publishing.publish([(0.0, {"end_of_stream": "1"})])
    return 1 if publishing.num_bad else 0


class _Publishing:
    """One run of the command: lines in, entries out, and what is said about it on the way."""

    def __init__(self, publisher: Publisher, progress: Progress) -> None:
        self._publisher = publisher
        self._progress = progress
        self._task = progress.add_task("", total=None, num_words=0)
        self._started = time.monotonic()
        self._num_words = 0
        self.num_bad = 0

    def entries(self, file: BinaryIO) -> Iterator[dict[str, str]]:
        """The entries of a file, read as they come; bad lines are reported and passed over."""
        for number, line in enumerate(iter(file.readline, b""), 1):
            fields = self._read(number, line)
            if fields:
                yield fields

    def publish(self, paced: Iterable[tuple[float, dict[str, str]]]) -> None:
        """Each entry when it is due, in seconds from the start."""
        for due, fields in paced:
            while (early := self._started + due - time.monotonic()) > 0:
                time.sleep(min(early, _LONGEST_SLEEP_SECONDS))
            while not self._is_published(fields):
                time.sleep(_RETRY_SECONDS)
            self._num_words += len(fields.get("text", "").split())
            self._progress.update(self._task, advance=1, num_words=self._num_words)

    def _read(self, number: int, line: bytes) -> dict[str, str] | None:
        try:
            return read_line(line.decode("utf-8"))
        except (BadLine, UnicodeDecodeError) as error:
            reason = error if isinstance(error, BadLine) else "not UTF-8"
            self.num_bad += 1
            self._say(f"line {number} is left out: {reason}")
            return None

    def _is_published(self, fields: dict[str, str]) -> bool:
        try:
            self._publisher.publish([fields])
        except (ConnectionError, TimeoutError):
            self._say("Redis is away; trying again until it is back")
            return False
        return True

    def _say(self, what: str) -> None:
        self._progress.console.print(Text(f"weir publish: {what}"), soft_wrap=True)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 (closed below; only opening may fail so)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}; FILE is a path or -") from None
    with file:
        yield file
