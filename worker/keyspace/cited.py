"""Entries by their ids: what notes and answers cite, with who said it and when."""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis

from worker.intake.entries import Entry, EntryLimits, parse_entry
from worker.intake.values import seconds
from worker.keyspace.history import newest_first
from worker.keyspace.keys import stream_keys

_AT_ONCE = 500


def cited(redis: Redis, stream: str, ids: Iterable[str]) -> dict[str, Entry]:
    """Those that are still in the input, and the lines of the transcript of those that are not."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Entry] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        found |= _in_the_input(redis, stream, wanted[at : at + _AT_ONCE])
    missing = {entry_id for entry_id in wanted if entry_id not in found}
    return found | _in_the_transcript(redis, stream, missing)


def _in_the_input(redis: Redis, stream: str, ids: list[str]) -> dict[str, Entry]:
    pipe = redis.pipeline(transaction=False)
    for entry_id in ids:
        pipe.xrange(stream, min=entry_id, max=entry_id)
    replies = pipe.execute(raise_on_error=False)
    found = dict[str, Entry]()
    for entry_id, reply in zip(ids, replies, strict=True):
        if isinstance(reply, list) and reply:
            entry = parse_entry(entry_id, reply[0][1], EntryLimits(max_bytes=2**30))
            found |= {entry_id: entry} if isinstance(entry, Entry) else {}
    return found


def _in_the_transcript(redis: Redis, stream: str, ids: set[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    lines = newest_first(redis, stream_keys(stream).transcript)
    while ids - found.keys() and (fields := next(lines, None)):
        entry_id, start = fields["entry"], fields.get("start")
        if entry_id in ids:
            at = seconds(start) if start else None
            speaker = fields.get("speaker")
            found[entry_id] = Entry(entry_id, fields["text"], speaker=speaker, start=at)
    return found
