"""Ask a question about a stream and wait for the answer, which its owner gives from what it has in
its window. Ctrl-C stops the waiting; the answer comes to the stream's `:answers` all the same.
"""

from __future__ import annotations

import argparse
import sys
import time

from worker.commands.named_stream import known_stream, say_if_unowned
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.follow import Follower
from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import request
from worker.settings.options import (
    SERVER_SETTINGS,
    UsageError,
    add_settings,
    positive_number,
    settings_from,
)
from worker.settings.rules import is_utf8

_BLOCK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--wait",
        type=positive_number,
        default=120.0,
        metavar="SECONDS",
        help="how long to wait for the answer (default: 120)",
    )
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """1 if no answer came in time."""
    _check_question(arguments.question)
    settings = settings_from(arguments)
    keys = stream_keys(arguments.key)
    with connect(settings) as redis:
        known_stream(redis, arguments.key)
        say_if_unowned(redis, arguments.key)
        with connect_blocking(settings, _BLOCK_SECONDS) as blocking:
            answers = Follower(blocking, [keys.answers], from_start=False)
            id = request(redis, arguments.key, "ask", question=arguments.question)
            answer = _wait(answers, id, time.monotonic() + arguments.wait)
    if answer is None:
        print(f"weir ask: no answer yet; it will come in {keys.answers}, id {id}", file=sys.stderr)
        return 1
    print(answer)
    return 0


def _check_question(question: str) -> None:
    if not question.strip():
        raise UsageError("QUESTION is empty; ask something, as in 'What was decided?'")
    if not is_utf8(question):
        raise UsageError("QUESTION is not UTF-8")


def _wait(answers: Follower, id: str, deadline: float) -> str | None:
    while time.monotonic() < deadline:
        for _, fields in answers.read(block_seconds=_BLOCK_SECONDS):
            if fields.get("id") == id:
                return fields.get("text", "")
    return None
