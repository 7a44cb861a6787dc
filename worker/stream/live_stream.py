"""One owned stream: what has arrived, what is being made of it, what is ready to be committed.

Four cursors follow each other along the stream, and each is a promise of its own:

    read  >=  settled (in the transcript)  >=  fed (in the window)  >=  covered (by a summary)

Only `settled` and `covered` are committed. After a crash, what was read is read again, and what was
settled but not yet fed comes back from the transcript itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from engine import Loss, NoFreeRow, Session, SessionLost
from worker.intake.entries import Entry, Rejected
from worker.intake.feed import Feed
from worker.keyspace.committer import Committer
from worker.keyspace.frozen import plain
from worker.keyspace.requests import Request
from worker.stream.inbox import Gap, Inbox, Item, place_of
from worker.stream.kit import Kit
from worker.stream.memory_view import MemoryView
from worker.stream.outbox import Commit, Outbox
from worker.stream.outputs import Outputs
from worker.stream.saving import Saving
from worker.stream.snapshots import Snapshots
from worker.stream.standing import Reached
from worker.views.question import Question, Questions
from worker.views.summary import Summary
from worker.views.transcript import Transcript


class LiveStream:
    """The life of one stream in this worker, from `recovery.open_stream` to `close`."""

    def __init__(self, kit: Kit, outbox: Outbox, session: Session, feed: Feed):
        views, now = plain(outbox.next.views), kit.clock()
        self.session = session
        self.feed = feed
        self.outbox = outbox
        self.inbox = Inbox(outbox.next)
        self.is_leaving = False  # asked to let the stream go
        self.is_hurried = False  # asked for its summary now: another stream wants the row
        self._kit = kit
        self._outputs = Outputs(kit.settings, outbox)
        self._transcript = Transcript(
            kit.restorer,
            kit.pace,
            views.get("transcript", {}),
            now=now,
            left_out=kit.metrics.left_out,
        )
        self._summary = Summary(kit.summariser, kit.cadence, views["summary"], now=now)
        self._questions = Questions(
            kit.drafts, kit.instructions, max_tokens=kit.settings.summary_max_tokens
        )
        self._ask_rolling(views.get("prompts", ()))
        self._memory = MemoryView(kit.engine, now=now)
        self._num_slid_out = session.num_slid_out
        self._has_ended: bool = views.get("ended", False)
        self.is_followed = False  # it has ended, and there is more to read under its name
        self._last_entry = outbox.checkpoint.entry_id  # that is settled
        if self._has_ended:
            self._transcript.finish(self._last_entry, now)
        self.loss: Loss | None = None  # its session is lost, and how
        self._lacks_place = False  # something is to be written, and all places to write are taken
        self._can_settle = True  # nothing of what is to be written is the next entry
        self._holds_still = False  # nothing is fed until the window is computed and copied
        self._saving = Saving(kit, session)
        self.active_at = now

    @property
    def name(self) -> str:
        return self.outbox.lease.stream

    @property
    def wants_entries(self) -> bool:
        return not self._has_ended and self.inbox.has_room

    @property
    def reached(self) -> Reached:
        """How far the input was read, whether or not that is published yet."""
        inbox = self.inbox
        ids = {"unpublished": inbox.unpublished, "read_lately": inbox.read_lately}
        return Reached(self.outbox.next.input, inbox.read_id, inbox.num_read, **ids)

    def take_in(self) -> None:
        """Entries become lines of the transcript, lines become tokens of the window; summaries and
        answers are begun when they are due."""
        self._can_settle = self._has_place(self._settle)
        rest = [self._has_place(p) for p in (self._obey, self._feed_window, self._begin_views)]
        self._lacks_place = not (self._can_settle and all(rest))

    def _has_place(self, part: Callable[[], None]) -> bool:
        """Does `part`; False if all places to write were taken, so that it must be tried again."""
        try:
            with suppress(SessionLost):  # the next step reports it
                part()
        except NoFreeRow:
            return False
        return True

    def _settle(self) -> None:
        """Entries settle words at once; these are published as their capitals and marks are there.
        A few are taken in first: what follows a word tells how it is written."""
        self._finish_what_is_old()
        while not self.outbox.is_stuck:
            self._take_some()
            if not self._publish():
                return

    def _take_some(self) -> None:
        while self._may_publish and self._transcript.has_room and not self._has_ended:
            item = self.inbox.next_item(self.outbox.next.entry_id)
            if item is None:
                return
            self._take(item)

    @property
    def _may_publish(self) -> bool:
        has_room = self.feed.num_waiting < self._kit.engine.config.num_recent
        return has_room and not self.outbox.is_stuck

    def _take(self, item: Item) -> None:
        if isinstance(item, Entry):
            self._take_entry(item)
        else:
            self._outputs.rejected(item.republished())
            self._kit.metrics.rejected(item.kind)
        num_entries = item.num_entries if isinstance(item, Gap) else 1
        num_read = self.outbox.next.entries_read + num_entries
        self.outbox.advance(entry_id=item.id, entries_read=num_read)
        self._last_entry = item.id
        self.inbox.settled()
        self._kit.metrics.read(num_entries)
        self.active_at, self.is_hurried = self._kit.clock(), False
        if isinstance(item, Entry) and item.end_of_stream:
            self.end_here()

    def _take_entry(self, entry: Entry) -> None:
        self._kit.metrics.unread(entry.unread)
        old_news = self._transcript.take(entry, self._kit.clock())
        if old_news:
            self._outputs.rejected(entry.left_out(old_news))

    def _finish_what_is_old(self) -> None:
        now, reached = self._kit.clock(), self._last_entry
        if self.is_hurried:
            self._transcript.finish(reached, now)
        self._transcript.finish_old(reached, now)

    def _publish(self) -> bool:
        """The next lines; whether there were any."""
        lines = self._transcript.write(self._kit.clock()) if self._may_publish else []
        for fields in lines:
            self.feed.publish(self._kit.line(fields))
            self._outputs.line(fields)
            self.outbox.advance(tokens_seen=self.feed.published)
        return bool(lines)

    def end_here(self, *, is_followed: bool = False) -> None:
        """What follows belongs to the stream's next life."""
        self._has_ended = True
        self._transcript.finish(self._last_entry, self._kit.clock())
        self.is_followed = is_followed or not self.inbox.is_empty
        self.inbox.turn_back(self.outbox.next)

    @property
    def _request(self) -> Request | Rejected | None:
        return self.inbox.request(self.outbox.next.entry_id)

    def _obey(self) -> None:
        request = self._request
        if request is None:
            return
        if request.kind in ("flush", "close") and not self._transcript.is_empty:
            self._transcript.finish(self._last_entry, self._kit.clock())
        if not self._is_caught_up:
            return
        if isinstance(request, Rejected):
            self._outputs.rejected(request.republished())
        elif request.kind == "ask":
            self._questions.ask(Question(request.id, request.question))
            return  # carried out when it is answered
        if request.kind == "flush" and (self._num_uncovered or self._summary.is_writing):
            return  # carried out when the summary that is due now is there
        if request.kind == "close":
            self.end_here()
        self.is_leaving |= request.kind == "release"
        self._carried_out(request)

    def _carried_out(self, request: Request | Rejected) -> None:
        self.inbox.carried_out()
        self.outbox.advance(request_id=place_of(request))

    @property
    def _is_caught_up(self) -> bool:
        return self._is_fed and self._transcript.is_written

    @property
    def _is_fed(self) -> bool:
        """Whether the window has seen and computed all that is published."""
        is_fed = self.feed.num_waiting == 0 and self.session.num_pending == 0
        return is_fed and not self.session.is_lost

    @property
    def _num_uncovered(self) -> int:
        return self.session.num_seen - self._summary.covered

    def _feed_window(self) -> None:
        if self._holds_still:
            return
        session, kit = self.session, self._kit
        ahead = 2 * kit.engine.config.max_chunk - session.num_pending
        tokens = self.feed.take(min(ahead, self._summary.room(session.num_seen)))
        if tokens:
            kit.engine.feed(session, tokens)
            kit.metrics.fed(len(tokens))
            self.active_at = kit.clock()

    def finish_line(self) -> None:
        """Feeds what is left of a line that is fed in part, as far as there is room: a session can
        be saved between two lines only."""
        if self.session.is_lost:
            return
        left = min(self.feed.num_left_of_line, self._summary.room(self.session.num_seen))
        self._kit.engine.feed(self.session, self.feed.take(left))

    # ---- views

    def _begin_views(self) -> None:
        now = self._kit.clock()
        reason = self._summary_due(now)
        wants_copy = reason is not None or self._questions.want_a_copy
        self._holds_still = wants_copy or self._wants_snapshot(now)
        if not wants_copy or self.session.num_pending:
            return
        if self._questions.want_a_copy:  # first: with each summary, not after some of them
            self._questions.begin(self.session, now)
        elif reason:
            self._summary.begin(self.session, self.feed, reason, now)
        self._holds_still = False

    def _summary_due(self, now: float) -> str | None:
        if self._questions.rolling:
            return None  # each summary is answered for before the next
        if self._num_uncovered and self._is_caught_up and not self._summary.is_writing:
            if self._has_ended:
                return "end"
            if self._request and self._request.kind == "flush":
                return "flush"
            if self.is_hurried:
                return "room"
        return self._summary.due(self.session.num_seen, now)

    def take_out(self) -> None:
        """What the model has finished goes into the outbox, and the stream ends when it is over."""
        now, metrics = self._kit.clock(), self._kit.metrics
        metrics.slid_out(self.session.num_slid_out - self._num_slid_out)
        self._num_slid_out = self.session.num_slid_out
        summary = self._summary.finish(now)
        if summary:
            self._publish_summary(summary)
            self._ask_rolling(self._kit.settings.prompts)
        answered = self._questions.finish(now)
        if answered:
            question, fields = answered
            self._outputs.answer(fields | {"entry": self._last_entry})
            metrics.view("prompt", float(fields["seconds"]))
            if not question.is_rolling and self._request:
                self._carried_out(self._request)
        if self._is_over:
            self._end(now)
        elif self._memory.is_due(self.session, now):
            self._publish_memory(now)

    def _ask_rolling(self, names: Iterable[str]) -> None:
        prompts = self._kit.settings.prompts
        for name in names:
            if name in prompts:  # whoever took the stream over may have others
                self._questions.ask(Question(name, prompts[name], is_rolling=True))

    def _publish_summary(self, fields: dict[str, str]) -> None:
        self._outputs.summary(fields)
        self.feed.forget(self._summary.covered)
        self._kit.metrics.view("summary", float(fields["seconds"]))

    def _publish_memory(self, now: float) -> None:
        self._outputs.memory(self._memory.read(self.session, self._last_entry, now))

    @property
    def _is_over(self) -> bool:
        """What was asked for before the end is answered before it: the next life knows nothing."""
        is_asked = self._request is not None
        return (
            not is_asked and self._has_ended and self.outbox.next.status == "live" and self._is_done
        )

    def _end(self, now: float) -> None:
        if self._summary.owes_the_last:
            self._publish_summary(self._summary.repeat(self._last_entry))
        self._publish_memory(now)
        self.outbox.advance(status="closed", snapshot="")
        self._kit.metrics.closed()

    # ---- keeping

    def commit(self, committer: Committer) -> Commit | None:
        """Raises StaleOwner (drop this stream) and redis' connection errors (call again)."""
        views = {
            "transcript": self._transcript.to_json(),
            "summary": self._summary.to_json(),
            "prompts": self._questions.rolling,
            "ended": self._has_ended,
        }
        commit = self.outbox.commit(committer, views)
        self.inbox.committed()
        return commit

    def pending(self) -> dict[str, str] | None:
        """Words to come, if they are others than those that were asked for last."""
        return self._transcript.pending(self._last_entry)

    def _wants_snapshot(self, now: float) -> bool:
        """A line that is fed in part is finished first: a snapshot stands between two lines."""
        return self._can_be_saved and self._saving.is_due(now) and self.feed.is_between_lines

    @property
    def _can_be_saved(self) -> bool:
        """Nobody takes up the session of a stream that has ended."""
        return not (self.session.is_lost or self._has_ended)

    def save(self, snapshots: Snapshots, *, last_chance: bool = False) -> None:
        """Saves the session if that is due, or if this is the last chance."""
        is_at_rest = self.feed.is_between_lines and self.session.num_pending == 0
        is_due = last_chance or self._saving.is_due(self._kit.clock())
        if is_at_rest and is_due and self._can_be_saved:
            self._saving.save(snapshots, self.outbox)

    @property
    def is_closed(self) -> bool:
        """Its end is committed."""
        return self.outbox.is_empty and self.outbox.checkpoint.status == "closed"

    @property
    def is_silent(self) -> bool:
        """Nothing to settle or feed until something arrives, or until the clock says so."""
        has_nothing = self._transcript.is_written or self._transcript.waits_for_clock
        return self.inbox.is_empty and has_nothing and self._is_fed

    @property
    def is_resting(self) -> bool:
        """Nothing to do until something arrives, or until the clock says so. Tokens that wait for
        the engine's next steps are the engine's to do."""
        is_owed = self._holds_still or (self.is_hurried and self._num_uncovered > 0)
        is_going = self._has_ended or self.is_leaving or self.session.is_lost
        is_idle = self.inbox.is_empty and self.feed.num_waiting == 0 and self.outbox.is_empty
        is_going |= not self._transcript.is_written
        return is_idle and not (is_owed or is_going or self._is_writing)

    @property
    def is_queueing(self) -> bool:
        """Nothing to do until it has a place to write."""
        has_nothing = self.inbox.is_empty and self._transcript.is_written
        is_settled = has_nothing or not self._can_settle
        is_idle = is_settled and self.session.num_pending == 0 and self.outbox.is_empty
        is_busy = self._summary.is_writing or self._questions.is_answering or self.is_leaving
        return self._lacks_place and is_idle and not (is_busy or self.session.is_lost)

    @property
    def is_quiet(self) -> bool:
        """Nothing is unread, unsummarised or unanswered here, whatever became of its session."""
        is_covered = self._summary.covered == self.feed.published and not self._has_ended
        is_idle = self.inbox.is_empty and self.outbox.is_empty and self._transcript.is_empty
        return is_covered and is_idle and not self._is_writing

    @property
    def _is_writing(self) -> bool:
        return self._summary.is_writing or not self._questions.is_empty

    @property
    def _is_done(self) -> bool:
        return self._is_caught_up and not self._num_uncovered and not self._is_writing

    def check_coverage(self) -> None:
        """No token is outside the window that no summary has covered."""
        num_kept = self.session.window.num_kept
        assert self._summary.covered >= self.session.num_seen - num_kept  # noqa: S101

    def close(self) -> None:
        """Gives every row back; what is not committed is forgotten."""
        self._transcript.close()
        self._summary.close()
        self._questions.close()
        self._kit.engine.close(self.session)
