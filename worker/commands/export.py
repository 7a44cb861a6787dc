"""Write a stream's transcript as a file: text, Markdown, captions or JSON, on standard output.

Of what there is so far; with --follow, on until the stream ends or Ctrl-C. What one person says in
one go is one piece, whatever the entries were that it came in. Captions are at most two lines of
about 42 letters, and never over each other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from io import TextIOWrapper

from redis import Redis

from worker.commands.named_stream import known_stream
from worker.formats.exports import EXPORTS, NoTimes, exported
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.follow import Follower
from worker.keyspace.keys import stream_keys
from worker.keyspace.registry import has_closed
from worker.settings.options import SERVER_SETTINGS, UsageError, add_settings, settings_from

_BLOCK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument(
        "--format", choices=EXPORTS, default="txt", help="what to write (default: txt)"
    )
    parser.add_argument(
        "--follow", action="store_true", help="go on as the transcript grows, until the stream ends"
    )
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    with connect(settings) as redis:
        known_stream(redis, arguments.key)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # files of text are, whatever the terminal is
    with connect_blocking(settings, _BLOCK_SECONDS) as redis:
        entries = _entries(redis, arguments.key, follow=arguments.follow)
        try:
            for text in exported(entries, arguments.format, arguments.key, _say):
                sys.stdout.write(text)
                if arguments.follow:
                    sys.stdout.flush()
        except NoTimes as error:
            raise UsageError(str(error)) from None
    return 0


def _entries(redis: Redis, stream: str, *, follow: bool) -> Iterator[dict[str, str]]:
    """The transcript's entries; a stream's last ones and its status are committed together."""
    follower = Follower(redis, [stream_keys(stream).transcript], from_start=True)
    is_empty = True
    while True:
        is_last_look = not follow or has_closed(redis, stream)
        came = follower.read(block_seconds=0 if is_last_look else _BLOCK_SECONDS)
        yield from (fields for _, fields in came)
        is_empty &= not came
        if is_last_look and not came:
            break
    if is_empty:
        _say(f"{stream} has no transcript yet")


def _say(what: str) -> None:
    sys.stderr.write(f"weir export: {what}\n")
