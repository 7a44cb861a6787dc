"""Which key each output of a stream goes to, and how many of them are kept."""

from __future__ import annotations

from worker.keyspace.keys import stream_keys
from worker.settings.config import Settings
from worker.stream.outbox import Outbox

MAX_KEPT = 10_000  # rejected entries, and answers


class Outputs:
    """Puts outputs into the stream's outbox; they are published with its next commit."""

    def __init__(self, settings: Settings, outbox: Outbox):
        self._settings = settings
        self._outbox = outbox
        self._keys = stream_keys(outbox.lease.stream)

    def line(self, fields: dict[str, str]) -> None:
        self._outbox.publish(self._keys.transcript, fields, self._settings.transcript_maxlen)

    def summary(self, fields: dict[str, str]) -> None:
        """The one that is made at the stream's end is marked as final."""
        marked = fields | {"final": "1"} if fields["reason"] == "end" else fields
        self._outbox.publish(self._keys.summary, marked, self._settings.summary_maxlen)

    def note(self, fields: dict[str, str]) -> None:
        self._outbox.publish(self._keys.notes, fields, self._settings.notes_maxlen)

    def answer(self, fields: dict[str, str]) -> None:
        self._outbox.publish(self._keys.answers, fields, MAX_KEPT)

    def memory(self, fields: dict[str, str]) -> None:
        self._outbox.publish(self._keys.memory, fields, self._settings.memory_maxlen)

    def rejected(self, fields: dict[str, str]) -> None:
        self._outbox.publish(self._keys.rejected, fields, MAX_KEPT)
