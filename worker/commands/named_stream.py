"""What the commands that name a stream have in common."""

from __future__ import annotations

import argparse
import sys

from redis import Redis

from worker.keyspace.connection import connect
from worker.keyspace.keys import is_own_key
from worker.keyspace.lease import is_owned
from worker.keyspace.registry import is_known
from worker.keyspace.requests import Kind, request
from worker.settings.options import SERVER_SETTINGS, UsageError, add_settings, settings_from
from worker.settings.rules import is_utf8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a command that takes a stream and no more."""
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    add_settings(parser, SERVER_SETTINGS)


def ask_owner(arguments: argparse.Namespace, kind: Kind) -> None:
    """Leave a request for the stream's owner, whoever that is or will be. Raises UsageError."""
    with connect(settings_from(arguments)) as redis:
        known_stream(redis, arguments.key)
        request(redis, arguments.key, kind)
        say_if_unowned(redis, arguments.key)


def check_name(key: str) -> None:
    """Raises UsageError if `key` cannot be a stream's name."""
    if is_own_key(key):
        raise UsageError(f"{key} is one of Weir's own keys; name the input stream, as live:standup")
    if not is_utf8(key):
        raise UsageError(f"{key!r} is not UTF-8; no worker would read such a stream")


def known_stream(redis: Redis, key: str) -> None:
    """Raises UsageError if there is no such stream: the request would wait for ever."""
    check_name(key)
    if not is_known(redis, key):
        raise UsageError(f"there is no stream {key}; `weir streams` shows those that there are")


def say_if_unowned(redis: Redis, key: str) -> None:
    """On standard error: what was asked for waits until a worker takes the stream."""
    if not is_owned(redis, key):
        print("no worker has this stream now; it is done when one takes it", file=sys.stderr)
