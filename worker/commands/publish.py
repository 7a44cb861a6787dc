"""Publish a file or standard input to a stream: text, captions, or what a recogniser wrote.

What a file is, is seen from what is in it: plain text, JSON lines, SubRip, WebVTT, and the JSON of
Whisper, Deepgram, AssemblyAI, Amazon Transcribe, Google and Azure; compressed (gzip) or not. A pipe
is read line by line as it comes: JSON objects, or text, as its first line is.

What is published is there once, even if the connection breaks; while the server is away, it waits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from redis import Redis
from rich.console import Console

from worker.commands.named_stream import check_name
from worker.commands.publishing import Publishing, progress_of
from worker.formats.catalogue import FORMATS
from worker.formats.clock import clock
from worker.formats.lines import Fields
from worker.formats.pace import Pace, times
from worker.formats.piped import piped
from worker.formats.reading import Reading, read_file
from worker.formats.rows import BadFile, LeftOut
from worker.formats.sources import STANDARD_INPUT, is_whole, opened
from worker.keyspace.connection import connect
from worker.keyspace.keys import is_matched
from worker.keyspace.publisher import Publisher
from worker.keyspace.registry import has_been_owned
from worker.settings.config import Settings
from worker.settings.options import (
    SERVER_SETTINGS,
    UsageError,
    add_settings,
    positive_number,
    settings_from,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="- is standard input")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        metavar="NAME",
        help=f"what the file is, instead of what it looks like: {', '.join(FORMATS)}",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=positive_number, metavar="W", help="words per second")
    pace.add_argument(
        "--speed",
        type=positive_number,
        metavar="X",
        help="play it at X times the speed of its times, counted from the first one",
    )
    parser.add_argument(
        "--end", action="store_true", help="say that the stream ends, after the last line"
    )
    add_settings(parser, (*SERVER_SETTINGS, "pattern", "max_entry_bytes"))


def run(arguments: argparse.Namespace) -> int:
    """1 if some of it could not be published."""
    check_name(arguments.key)
    settings, name = settings_from(arguments), arguments.file
    with ExitStack() as stack:
        try:
            file = stack.enter_context(opened(name))
        except OSError as error:
            why = error.strerror
            raise UsageError(f"{name} cannot be read: {why}; FILE is a path or -") from None
        redis = stack.enter_context(connect(settings))
        redis.ping()
        try:
            return _publish(arguments, settings, redis, _reading(file, arguments.format), file)
        except BadFile as error:
            raise UsageError(f"{_named(name)} is not published: {error}") from None


def _reading(file: BinaryIO, format: str | None) -> Reading | None:
    """None for a pipe whose format is not said: it is read as it comes, and may never end."""
    return read_file(file.read(), format) if format or is_whole(file) else None


def _publish(
    arguments: argparse.Namespace,
    settings: Settings,
    redis: Redis,
    reading: Reading | None,
    file: BinaryIO,
) -> int:
    pace = Pace(words_per_second=arguments.rate, speed=arguments.speed)
    num_entries = len(reading.entries) if reading else None
    console = Console(stderr=True, highlight=False)
    with progress_of(console, num_entries) as progress:
        publisher = Publisher(redis, arguments.key)
        publishing = Publishing(publisher, progress, settings.max_entry_bytes, num_entries)
        if not _is_awaited(redis, settings, arguments.key):
            publishing.say(
                f"no worker with WEIR_PATTERN={settings.pattern} takes {arguments.key}; it waits "
                "until one does"
            )
        what, entries = (_described(reading), _all(reading)) if reading else piped(file)
        publishing.say(f"{_named(arguments.file)} is {what}")
        if arguments.speed and reading and not _times_of(reading.entries):
            publishing.say("--speed has no times to go by: all goes at once (--rate counts words)")
        publishing.publish(pace.due(publishing.fit(entries)), at_once=reading is not None)
        if arguments.end:
            publishing.publish([(0.0, {"end_of_stream": "1"})])
    return 1 if publishing.num_bad else 0


def _all(reading: Reading) -> Iterator[Fields | LeftOut]:
    """What is left out is said first: nobody watches for hours."""
    yield from reading.left_out
    yield from reading.entries


def _is_awaited(redis: Redis, settings: Settings, key: str) -> bool:
    """Whether workers that are set as this command is look for the stream, or one had it."""
    return is_matched(key, settings.patterns) or has_been_owned(redis, key)


def _named(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _described(reading: Reading) -> str:
    """What it was taken for, and how much of what there is in it."""
    encoding = "" if reading.encoding == "utf-8" else f" in {reading.encoding}"
    num_words = sum(len(fields["text"].split()) for fields in reading.entries if "text" in fields)
    num = len(reading.entries)
    entries = f"{num:,} {'entry' if num == 1 else 'entries'}"
    return f"{reading.title}{encoding}: {entries}, {num_words:,} words{_span(reading.entries)}"


def _span(entries: Sequence[Fields]) -> str:
    known = _times_of(entries)
    if not known:
        return ", no times"
    first, last = min(start for start, _ in known), max(end for _, end in known)
    return f", {clock(first)} to {clock(last)}"


def _times_of(entries: Sequence[Fields]) -> list[tuple[float, float]]:
    """Of those entries that say when they were said."""
    found = map(times, entries)
    return [(start, end) for start, end in found if start is not None and end is not None]
