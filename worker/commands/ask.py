"""Ask a question about a stream and wait for the answer, with where it was said.

What was decided, who does what, what is open, what somebody said, what it was about: that is told
from the notes and the transcript, word for word. For other questions the transcript is searched for
sentences that have to do with it; the stream's owner answers from what it has in its window, and
from these. If nothing in it was ever named, nobody is asked. Ctrl-C stops the waiting; the answer
comes to the stream's `:answers` all the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from redis import Redis

from worker.commands.named_stream import known_stream, say_if_unowned
from worker.commands.said import duration, said_in
from worker.commands.talk_answers import NONE, told
from worker.formats.writing.notes import Place
from worker.keyspace.cited import cited
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
from worker.views.about_talk import about_talk, time_asked
from worker.views.search import search
from worker.views.sentences import Sentence

NOT_SAID = "that was not said"
MOST_CITED = 4  # sentences
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
    parser.add_argument(
        "--last",
        type=duration,
        metavar="TIME",
        help="search what was said lately only, as in 90s, 10m or 2h (default: all)",
    )
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    """1 if no answer came in time."""
    _check_question(arguments.question)
    settings, stream = settings_from(arguments), arguments.key
    with connect(settings) as redis:
        known_stream(redis, stream)
        last = arguments.last or time_asked(arguments.question)
        said = said_in(redis, stream, last)
        if _tell(redis, stream, arguments.question, last, said):
            return 0
        found = search(arguments.question, said, most=MOST_CITED)
        if found.is_strange:
            print(NOT_SAID)
            return 0
        say_if_unowned(redis, stream)
        with connect_blocking(settings, _BLOCK_SECONDS) as blocking:
            answers = Follower(blocking, [stream_keys(stream).answers], from_start=False)
            id = _ask(redis, arguments, found.supports)
            answer = _wait(answers, id, time.monotonic() + arguments.wait)
        if answer is None:
            key = stream_keys(stream).answers
            print(f"weir ask: no answer yet; it will come in {key}, id {id}", file=sys.stderr)
            return 1
        if answer != _lines(found.supports):  # a model that would invent quotes what was said
            print(answer)
        _print_said(redis, stream, found.supports)
    return 0


def _tell(
    redis: Redis, stream: str, question: str, last: float | None, said: Sequence[Sentence]
) -> bool:
    """Answers what is asked about the talk itself; whether it is."""
    about = about_talk(question, (one.speaker for one in said))
    if about is None:
        return False
    found = told(redis, stream, replace(about, last_seconds=last), said)
    if found is None:
        return False
    if not found:
        print(NONE[about.wanted])
    _print_said(redis, stream, found)
    return True


def _ask(redis: Redis, arguments: argparse.Namespace, supports: Sequence[Sentence]) -> str:
    """Hands the request over; its id."""
    cites = dict.fromkeys(entry for one in supports for entry in one.entries)
    return request(
        redis,
        arguments.key,
        "ask",
        question=arguments.question,
        said=_lines(supports),
        cites=" ".join(cites),
    )


def _lines(supports: Sequence[Sentence]) -> str:
    return "\n".join(one.line for one in supports)


def _print_said(redis: Redis, stream: str, supports: Sequence[Sentence]) -> None:
    """What the transcript has of it, each with who, when and the entry."""
    found = cited(redis, stream, (one.entries[0] for one in supports))
    for one in supports:
        first = found.get(one.entries[0])
        place = Place(one.entries[0], one.speaker, first.start if first else None)
        print(f"  [{place}] {one.text}")


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
