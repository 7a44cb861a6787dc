"""Show a stream's transcript, summaries and notes as they come, until it ends or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from redis import Redis
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from worker.commands.named_stream import check_name, known_stream
from worker.formats.clock import clock
from worker.formats.noted import Note
from worker.formats.writing.notes import change_line
from worker.intake.values import seconds
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.follow import Follower
from worker.keyspace.keys import stream_keys
from worker.keyspace.live import pending_of
from worker.keyspace.registry import has_closed
from worker.settings.options import SERVER_SETTINGS, add_settings, settings_from

_BLOCK_SECONDS = 1.0
_GLANCE_SECONDS = 0.2  # at words to come, which change several times a second


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument(
        "--from-start", action="store_true", help="what is there already is shown first"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="a JSON object for each entry: its `output` (transcript, notes, summary, answers)"
        " and fields",
    )
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    check_name(arguments.key)
    settings = settings_from(arguments)
    with connect(settings) as redis:
        if arguments.from_start:
            known_stream(redis, arguments.key)
    with connect_blocking(settings, _BLOCK_SECONDS) as redis:
        tail = _Tail(redis, arguments.key, from_start=arguments.from_start, as_json=arguments.json)
        while tail.show_next():
            pass
    return 0


class _Tail:
    """Transcript, notes, summaries and answers of one stream, shown once each."""

    def __init__(self, redis: Redis, stream: str, *, from_start: bool, as_json: bool) -> None:
        keys = stream_keys(stream)
        outputs = (keys.transcript, keys.notes, keys.summary, keys.answers)
        self._redis = redis
        self._stream = stream
        self._keys = keys
        self._follower = Follower(redis, outputs, from_start=from_start)
        self._has_shown = from_start
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True)
        self._pending = Pending(self._console)

    def show_next(self) -> bool:
        """Show what came next, or wait a little for it; False when the stream has ended.

        A stream's last outputs and its status are committed together, so whoever has seen the
        status first misses nothing by one more look.
        """
        is_closed = has_closed(self._redis, self._stream)
        wait_seconds = _GLANCE_SECONDS if self._pending.is_shown_here else _BLOCK_SECONDS
        came = self._follower.read(block_seconds=0 if is_closed else wait_seconds)
        if came:
            self._pending.take_away()
        for key, fields in came:
            self._show(key, fields)
        if self._pending.is_shown_here:
            self._pending.show(pending_of(self._redis, self._stream))
        self._has_shown |= bool(came)
        return bool(came) or not (is_closed and self._has_shown)

    def _show(self, key: str, fields: Mapping[str, str]) -> None:
        if self._as_json:
            shown = {"output": key.rpartition(":")[2], **fields}
            sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return
        if key == self._keys.transcript:
            text = _transcript_line(fields)
        elif key == self._keys.summary:
            text = _summary_line(fields)
        elif key == self._keys.notes:
            text = Text(change_line(Note.of(fields)), style="green")
        else:
            text = _answer_line(fields)
        if text is not None:
            self._console.print(text)


class Pending:
    """Words to come, in grey, on the last line of a terminal; nothing of them goes into a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = ""

    @property
    def is_shown_here(self) -> bool:
        return self._console.is_terminal

    def show(self, live: Mapping[str, str]) -> None:
        words = live.get("pending", "")
        room = self._console.width - 2
        line = words if len(words) <= room else f"…{words[1 - room :]}"
        if line != self._shown:
            self.take_away()
            self._console.print(Text(line, style="bright_black"), end="")
            self._shown = line

    def take_away(self) -> None:
        if self._shown:
            erase = (ControlType.ERASE_IN_LINE, 2)
            self._console.control(Control(ControlType.CARRIAGE_RETURN, erase))
        self._shown = ""


def _transcript_line(fields: Mapping[str, str]) -> Text | None:
    """`start`, speaker and text; the end of a stream may be an entry without text."""
    if not fields.get("text"):
        return None
    start, speaker = fields.get("start"), fields.get("speaker")
    return Text.assemble(
        (f"{_clock(start)} " if start else "", "dim"),
        (f"{speaker}: " if speaker else "", "bold"),
        fields["text"],
    )


def _summary_line(fields: Mapping[str, str]) -> Text:
    kind = "last summary" if fields.get("final") == "1" else "summary"
    covers = f"{fields.get('first', '?')} to {fields.get('last', '?')}"
    return Text.assemble((f"[{kind} of {covers}] ", "cyan"), (fields.get("text", ""), "cyan"))


def _answer_line(fields: Mapping[str, str]) -> Text:
    question, answer = fields.get("question", ""), fields.get("text", "")
    return Text.assemble((f"[{question}] ", "yellow"), (answer, "yellow"))


def _clock(start: str) -> str:
    """As it came, if others wrote it and it is no time."""
    time = seconds(start)
    return start if time is None else clock(time)
