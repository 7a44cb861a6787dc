"""Reads a stream and its output keys as anybody can, with plain XREAD, and notes what is new."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

from worker.demo.output_fields import Fields, Line, Memory, Summary
from worker.demo.state import DemoState, Published, StreamState
from worker.demo.talk import Utterance
from worker.formats.noted import Note
from worker.keyspace.keys import stream_keys
from worker.keyspace.live import pending_of

READ_COUNT = 500


class Watch:
    """`redis` must decode replies to text. Entry n of every input is utterance n of the talk."""

    def __init__(
        self,
        redis: Redis,
        state: DemoState,
        talk: Sequence[Utterance],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._redis = redis
        self._talk = talk
        self._clock = clock
        self._places: dict[str, tuple[StreamState, str]] = {}  # of an output key: whose, and what
        for stream in state.streams.values():
            keys = stream_keys(stream.stream)
            self._places[stream.stream] = stream, "input"
            self._places[keys.transcript] = stream, "transcript"
            self._places[keys.summary] = stream, "summary"
            self._places[keys.notes] = stream, "notes"
            self._places[keys.memory] = stream, "memory"
            self._places[keys.rejected] = stream, "rejected"
        self._shown = state.shown
        self._cursors = dict.fromkeys(self._places, "0-0")

    def read(self, *, block_seconds: float) -> None:
        """Note what came since the last read; wait up to `block_seconds` if there is nothing."""
        block = max(int(block_seconds * 1000), 1)
        cursors: dict[Any, Any] = dict(self._cursors)
        reply: Any = self._redis.xread(cursors, count=READ_COUNT, block=block)
        for key, entries in dict(reply or {}).items():
            stream, kind = self._places[key]
            for entry_id, fields in entries:
                self._cursors[key] = entry_id
                if kind == "input":
                    self._note_published(stream, entry_id)
                else:
                    note(stream, kind, fields)
        self._shown.pending = pending_of(self._redis, self._shown.stream).get("pending", "")

    def _note_published(self, stream: StreamState, entry_id: str) -> None:
        # Somebody may publish to the stream as well: there can be more entries than utterances.
        number = min(len(stream.published), len(self._talk) - 1)
        stream.add_published(Published(entry_id, self._clock(), self._talk[number].end))


def note(stream: StreamState, kind: str, fields: Fields) -> None:
    """Add one output entry of the given kind to what is known of its stream."""
    if kind == "transcript":
        stream.lines.append(Line.of(fields))
        stream.is_closed |= fields.get("end_of_stream") == "1"
    elif kind == "summary":
        stream.summaries.append(Summary.of(fields))
    elif kind == "notes":
        stream.note_changes.append(Note.of(fields))
    elif kind == "memory":
        stream.memory.append(Memory.of(fields))
    else:
        stream.rejected.append(fields.get("entry_id", ""))
