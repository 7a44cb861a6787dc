"""End a stream: a last summary of what is there, then no owner any more.

Entries that come later make it live again.
"""

from __future__ import annotations

import argparse

from worker.commands.asking import known_stream, say_if_unowned
from worker.connection import connect
from worker.keys import stream_keys
from worker.options import SERVER_SETTINGS, add_settings, settings_from
from worker.requests import request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    with connect(settings_from(arguments)) as redis:
        known_stream(redis, arguments.key)
        request(redis, arguments.key, "close")
        say_if_unowned(redis, arguments.key)
    print(f"asked for; the last summary comes in {stream_keys(arguments.key).summary}")
    return 0
