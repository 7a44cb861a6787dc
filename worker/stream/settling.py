"""From what has arrived to the transcript: entries settle words, settled words become lines.

Invariant: a line is put into the outbox and given to the feed together, and the cursor of the
checkpoint to come stands after the last entry whose words are settled.
"""

from __future__ import annotations

from typing import Any

from worker.intake.entries import Entry, Rejected
from worker.intake.feed import Feed
from worker.keyspace.requests import Request
from worker.stream.inbox import Gap, Inbox, Item, place_of
from worker.stream.kit import Kit
from worker.stream.outbox import Outbox
from worker.stream.outputs import Outputs
from worker.views.transcript import Transcript


class Settling:
    """What one stream has read, until it is published and waits for the window."""

    def __init__(
        self, kit: Kit, outbox: Outbox, outputs: Outputs, feed: Feed, state: dict[str, Any]
    ):
        """state: what `to_json` gave, {} for a new stream."""
        now = kit.clock()
        self.inbox = Inbox(outbox.next)
        self.feed = feed
        self.last_entry = outbox.checkpoint.entry_id
        self.taken_at = now
        self.is_hurried = False  # nothing waits for what follows
        self.has_ended: bool = state.get("ended", False)
        self.is_followed = False  # it has ended, and there is more to read under its name
        self._kit = kit
        self._outbox = outbox
        self._outputs = outputs
        self._transcript = Transcript(
            kit.restorer,
            kit.pace,
            state.get("transcript", {}),
            now=now,
            left_out=kit.metrics.left_out,
        )
        if self.has_ended:
            self.finish()

    @property
    def wants_entries(self) -> bool:
        return not self.has_ended and self.inbox.has_room

    def settle(self) -> None:
        """Entries settle words at once; these are published as their capitals and marks are there.
        A few are taken in first: what follows a word tells how it is written."""
        self._finish_what_is_old()
        while not self._outbox.is_stuck:
            self._take_some()
            if not self._publish():
                return

    def _take_some(self) -> None:
        while self._may_publish and self._transcript.has_room and not self.has_ended:
            item = self.inbox.next_item(self._outbox.next.entry_id)
            if item is None:
                return
            self._take(item)

    @property
    def _may_publish(self) -> bool:
        has_room = self.feed.num_waiting < self._kit.engine.config.num_recent
        return has_room and not self._outbox.is_stuck

    def _take(self, item: Item) -> None:
        if isinstance(item, Entry):
            self._take_entry(item)
        else:
            self._outputs.rejected(item.republished())
            self._kit.metrics.rejected(item.kind)
        num_entries = item.num_entries if isinstance(item, Gap) else 1
        num_read = self._outbox.next.entries_read + num_entries
        self._outbox.advance(entry_id=item.id, entries_read=num_read)
        self.last_entry = item.id
        self.inbox.settled()
        self._kit.metrics.read(num_entries)
        self.taken_at, self.is_hurried = self._kit.clock(), False
        if isinstance(item, Entry) and item.end_of_stream:
            self.end_here()

    def _take_entry(self, entry: Entry) -> None:
        self._kit.metrics.unread(entry.unread)
        old_news = self._transcript.take(entry, self._kit.clock())
        if old_news:
            self._outputs.rejected(entry.left_out(old_news))

    def _finish_what_is_old(self) -> None:
        if self.is_hurried:
            self.finish()
        # News that waits to be read or taken is news: whoever is late is no silent speaker.
        if self.inbox.is_empty:
            silent_at = self.inbox.looked_at
            self._transcript.finish_old(self.last_entry, self._kit.clock(), silent_at=silent_at)

    def _publish(self) -> bool:
        """The next lines; whether there were any."""
        lines = self._transcript.write(self._kit.clock()) if self._may_publish else []
        for fields in lines:
            self.feed.publish(self._kit.line(fields))
            self._outputs.line(fields)
            self._outbox.advance(tokens_seen=self.feed.published)
        return bool(lines)

    def finish(self) -> None:
        """Whatever is open ends as it was heard last."""
        self._transcript.finish(self.last_entry, self._kit.clock())

    def end_here(self, *, is_followed: bool = False) -> None:
        """What follows belongs to the stream's next life."""
        self.has_ended = True
        self.finish()
        self.is_followed = is_followed or not self.inbox.is_empty
        self.inbox.turn_back(self._outbox.next)

    # ---- what is asked of the stream, in its turn among the entries

    @property
    def request(self) -> Request | Rejected | None:
        return self.inbox.request(self._outbox.next.entry_id)

    def carried_out(self, request: Request | Rejected) -> None:
        self.inbox.carried_out()
        self._outbox.advance(request_id=place_of(request))

    @property
    def asked_for(self) -> str | None:
        """Why a summary is due now of all that was read until now; None if it can wait."""
        if self.has_ended:
            return "end"
        if self.request and self.request.kind == "flush":
            return "flush"
        return "room" if self.is_hurried else None

    # ---- how far it is

    @property
    def is_empty(self) -> bool:
        """Whether nothing is read that is left to publish, now or when its time has come."""
        return self.inbox.is_empty and self._transcript.is_empty

    @property
    def is_written(self) -> bool:
        """Whether all that is settled is published."""
        return self._transcript.is_written

    @property
    def is_heard_out(self) -> bool:
        """Whether no words are left that are settled, or open."""
        return self._transcript.is_empty

    @property
    def is_silent(self) -> bool:
        """Nothing to do until something arrives, or until the clock says so."""
        has_nothing = self._transcript.is_written or self._transcript.waits_for_clock
        return self.inbox.is_empty and has_nothing

    def pending(self) -> dict[str, str] | None:
        """Words to come, if they are others than those that were asked for last."""
        return self._transcript.pending(self.last_entry)

    def to_json(self) -> dict[str, Any]:
        return {"transcript": self._transcript.to_json(), "ended": self.has_ended}

    def close(self) -> None:
        self._transcript.close()
