"""Show the notes of a stream as they stand: decisions, actions, questions and what else was said
that is worth noting, each with the entries that it comes from.

With --by hour or --by day, what each has come to, chosen from its notes: a day from its hours. With
--follow, each change that comes as well, until the stream ends or Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence

from redis import Redis

from engine import Highlighter
from worker.commands.named_stream import known_stream
from worker.formats.noted import Note, present
from worker.formats.periods import By, periods
from worker.formats.writing.notes import (
    Place,
    Places,
    change_line,
    json_line,
    markdown,
    period_json,
    period_page,
)
from worker.intake.entries import Entry, id_order, id_seconds
from worker.keyspace.cited import cited
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.follow import Follower
from worker.keyspace.keys import stream_keys
from worker.keyspace.registry import has_closed
from worker.settings.options import SERVER_SETTINGS, UsageError, add_settings, settings_from

_BLOCK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the stream, such as live:standup")
    parser.add_argument(
        "--format",
        choices=("md", "json"),
        default="md",
        help="a page by kinds (md), or a JSON object a line and item (json); default: md",
    )
    parser.add_argument(
        "--by", choices=("hour", "day"), help="a page by time instead: the most telling of each"
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="with --by, only what begins so, as in 2026-12-01, '2026-12-01 14' or 'day 2'",
    )
    parser.add_argument("--follow", action="store_true", help="go on with each change that comes")
    add_settings(parser, SERVER_SETTINGS)


def run(arguments: argparse.Namespace) -> int:
    settings, stream = settings_from(arguments), arguments.key
    if (arguments.at and not arguments.by) or (arguments.by and arguments.follow):
        raise UsageError("--at needs --by hour or --by day; --by does not go with --follow")
    with connect(settings) as redis:
        known_stream(redis, stream)
    with connect_blocking(settings, _BLOCK_SECONDS) as redis:
        page = _Page(redis, stream, as_json=arguments.format == "json")
        if arguments.by:
            page.show_periods(arguments.by, arguments.at or "")
            return 0
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

    def _all(self) -> list[Note]:
        changes = list[dict[str, str]]()
        while came := self._follower.read(block_seconds=0):
            changes += [fields for _, fields in came]
        if not changes:
            sys.stderr.write(f"weir notes: {self._stream} has no notes yet\n")
        return present(changes)

    def show_periods(self, by: By, at: str) -> None:
        """What gave way since is among them: it was the best of its time."""
        notes = self._all()
        found = cited(self._redis, self._stream, (note.cites[0] for note in notes if note.cites))
        all_of_them = periods(notes, _times(found), by, Highlighter.load().best_first)
        wanted = [one for one in all_of_them if one.label.startswith(at.replace("T", " "))]
        places = self._places([note for one in wanted for note in one.notes])
        if self._as_json:
            self._show(period_json(one, places) for one in wanted)
        elif notes:
            self._show(period_page(wanted, self._stream, places))

    def show_all(self) -> None:
        notes = self._all()
        if not notes:
            return
        if self._as_json:
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


def _times(found: Mapping[str, Entry]) -> dict[str, float]:
    """By the talk's own clock, if it has one that never goes back; else when the entries came."""
    ids = sorted(found, key=id_order)
    starts = [start for id in ids if (start := found[id].start) is not None]
    if len(starts) == len(ids) and starts == sorted(starts):
        return dict(zip(ids, starts, strict=True))
    return {id: at for id in ids if (at := id_seconds(id)) is not None}
