"""Show the notes of a stream as they stand: decisions, actions, questions and what else was said
that is worth noting, each with the entries that it comes from.

With --follow, each change that comes as well, until the stream ends or Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from redis import Redis

from worker.commands.named_stream import known_stream
from worker.formats.noted import Note, present
from worker.formats.writing.notes import Place, Places, change_line, json_line, markdown
from worker.keyspace.cited import cited
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.follow import Follower
from worker.keyspace.keys import stream_keys
from worker.keyspace.registry import has_closed
from worker.settings.options import SERVER_SETTINGS, add_settings, settings_from

_BLOCK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument(
        "--format",
        choices=("md", "json"),
        default="md",
        help="a page by kinds (md), or a JSON object a line and item (json); default: md",
    )
    parser.add_argument("--follow", action="store_true", help="go on with each change that comes")
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    settings, stream = settings_from(arguments), arguments.key
    with connect(settings) as redis:
        known_stream(redis, stream)
    with connect_blocking(settings, _BLOCK_SECONDS) as redis:
        page = _Page(redis, stream, as_json=arguments.format == "json")
        page.show_all()
        while arguments.follow and page.show_next():
            pass
    return 0


class _Page:
    """The notes of one stream, and then its changes."""

    def __init__(self, redis: Redis, stream: str, *, as_json: bool) -> None:
        self._redis = redis
        self._stream = stream
        self._as_json = as_json
        self._follower = Follower(redis, [stream_keys(stream).notes], from_start=True)

    def show_all(self) -> None:
        changes = list[dict[str, str]]()
        while came := self._follower.read(block_seconds=0):
            changes += [fields for _, fields in came]
        notes = present(changes)
        if not notes:
            sys.stderr.write(f"weir notes: {self._stream} has no notes yet\n")
        elif self._as_json:
            self._show(json_line(note, self._places([note])) for note in notes)
        else:
            self._show(markdown(notes, self._stream, self._places(notes)))

    def show_next(self) -> bool:
        """What came next, or a little wait for it; False when the stream has ended. Its last
        changes and its end are committed together."""
        is_closed = has_closed(self._redis, self._stream)
        came = self._follower.read(block_seconds=0 if is_closed else _BLOCK_SECONDS)
        notes = [Note.of(fields) for _, fields in came]
        if self._as_json:
            self._show(json_line(note, self._places([note])) for note in notes)
        else:
            self._show(f"{change_line(note)}\n" for note in notes)
        return bool(came) or not is_closed

    def _show(self, texts: Iterable[str]) -> None:
        for text in texts:
            sys.stdout.write(text)
        sys.stdout.flush()

    def _places(self, notes: Sequence[Note]) -> Places:
        found = cited(self._redis, self._stream, (id for note in notes for id in note.cites))
        return {id: Place(id, entry.speaker or "", entry.start) for id, entry in found.items()}
