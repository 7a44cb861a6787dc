"""Reads what came after each stream's cursor: plain XREAD, many streams in one call.

One owner reads a stream, so a consumer group would only scatter it. The source remembers nothing
about a stream: the caller's cursors say what was read, and a read that failed is made again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.intake.entries import Entry, EntryLimits, Rejected, id_order, parse_entry
from worker.keyspace.inputs import Info, infos
from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import Request, parse_request
from worker.keyspace.trouble import is_passing

_log = logging.getLogger(__name__)

_AWAY = (RedisConnectionError, RedisTimeoutError)
_FIRST_PAUSE_SECONDS = 0.05

Read = dict[str, list[tuple[str, dict[bytes, bytes]]]]


@dataclass(frozen=True)
class Arrivals:
    """What one read brought, by stream, in the order of ids. Streams with nothing are absent."""

    entries: dict[str, list[Entry | Rejected]] = field(default_factory=dict)
    requests: dict[str, list[Request | Rejected]] = field(default_factory=dict)


class Source:
    """Reads input streams and the requests made of them, on a connection of its own.

    `redis` must wait for a reply longer than any `block_seconds` (`connect_blocking`).
    While the server is away a read returns nothing, after a pause that doubles up to
    `block_seconds`; the first failure and the recovery are logged.
    """

    def __init__(
        self, redis: Redis, limits: EntryLimits, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._sleep = sleep
        self._pause_seconds = 0.0
        self._others: set[str] = set()  # keys that were found to be no streams, at the last look

    @property
    def is_connected(self) -> bool:
        """Whether the last read reached the server."""
        return self._pause_seconds == 0

    def read(
        self,
        cursors: Mapping[str, str],
        request_cursors: Mapping[str, str],
        *,
        count: int,
        block_seconds: float,
    ) -> Arrivals:
        """At most `count` entries of each stream in `cursors`, and requests of `request_cursors`.

        Both map a stream to the id up to which it has been read. Blocks for at most `block_seconds`
        if nothing has come (0: returns at once).
        """
        wanted = {**cursors, **{stream_keys(s).requests: at for s, at in request_cursors.items()}}
        try:
            read = self._read(wanted, count, block_seconds)
        except RedisError as error:
            if not is_passing(error):
                raise
            self._pause(error, block_seconds)
            return Arrivals()
        self._note_connected()
        return self._parsed(read, cursors, request_cursors)

    def count_missed(self, entries_read: Mapping[str, int], arrivals: Arrivals) -> dict[str, int]:
        """How many entries of each stream are gone (trimmed, deleted) and were never read.

        `entries_read` counts a stream's entries up to the cursor that `arrivals` was read from,
        missed ones included, as a checkpoint does: add what this returns to it, and the number of
        entries that arrived. One round trip; only streams that have something to add are
        in the result. What cannot be told now (the server is away) is counted by the next call.
        """
        streams = [stream for stream in arrivals.entries if stream in entries_read]
        try:
            found = zip(streams, infos(self._redis, streams), strict=True)
        except _AWAY:
            return {}
        missed = {
            stream: _num_missed(info, entries_read[stream], arrivals.entries[stream])
            for stream, info in found
            if info is not None
        }
        return {stream: num for stream, num in missed.items() if num > 0}

    def _read(self, wanted: Mapping[str, str], count: int, block_seconds: float) -> Read:
        try:
            return self._xread(wanted, count, block_seconds)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
        # One key that is no stream any more must not keep the others from being read.
        return self._xread(self._only_streams(wanted), count, block_seconds)

    def _xread(self, wanted: Mapping[str, str], count: int, block_seconds: float) -> Read:
        if not wanted:
            self._sleep(block_seconds)
            return {}
        block_ms = max(1, int(block_seconds * 1000)) if block_seconds > 0 else None
        reply: Any = self._redis.xread(cast(Any, wanted), count=count, block=block_ms)
        return {
            key.decode(): [(entry_id.decode(), fields) for entry_id, fields in entries]
            for key, entries in reply
        }

    def _only_streams(self, wanted: Mapping[str, str]) -> dict[str, str]:
        with self._redis.pipeline(transaction=False) as pipe:
            for key in wanted:
                pipe.type(key)
            kinds = pipe.execute()
        others = [
            key for key, kind in zip(wanted, kinds, strict=True) if kind not in (b"stream", b"none")
        ]
        if set(others) != self._others:
            _log.warning("not streams any more, not read: %s", ", ".join(others))
        self._others = set(others)
        return {key: at for key, at in wanted.items() if key not in others}

    def _parsed(
        self, read: Read, cursors: Mapping[str, str], request_cursors: Mapping[str, str]
    ) -> Arrivals:
        entries = {
            stream: [
                parse_entry(entry_id, fields, self._limits) for entry_id, fields in read[stream]
            ]
            for stream in cursors
            if stream in read
        }
        requests = {
            stream: [parse_request(entry_id, fields) for entry_id, fields in read[key]]
            for stream in request_cursors
            if (key := stream_keys(stream).requests) in read
        }
        return Arrivals(entries, requests)

    def _pause(self, error: Exception, block_seconds: float) -> None:
        if self.is_connected:
            _log.warning("no answer from Redis, trying again until it is back: %s", error)
        self._pause_seconds = max(_FIRST_PAUSE_SECONDS, 2 * self._pause_seconds)
        self._pause_seconds = min(self._pause_seconds, max(_FIRST_PAUSE_SECONDS, block_seconds))
        self._sleep(min(self._pause_seconds, block_seconds))

    def _note_connected(self) -> None:
        if not self.is_connected:
            _log.warning("Redis answers again")
        self._pause_seconds = 0.0


def _num_missed(info: Info, entries_read: int, arrived: Sequence[Entry | Rejected]) -> int:
    """Entries gone from the stream, less those of them that we did read.

    All entries before the oldest that is left are gone. `info` may be younger than `arrived`, so
    some of what arrived can be gone already. Never too high; too low while the entry at the cursor
    is still there and younger ones were deleted one by one.
    """
    num_gone = int(info["entries-added"]) - int(info["length"])
    first = cast("tuple[bytes, Any] | None", info["first-entry"])
    oldest = id_order(first[0].decode()) if first else None
    num_read_and_gone = sum(oldest is None or id_order(entry.id) < oldest for entry in arrived)
    return max(0, num_gone - entries_read - num_read_and_gone)
