"""One owned stream: what has arrived, what is being made of it, what is ready to be committed.

Four cursors follow each other along the stream, and each is a promise of its own:

    read  >=  settled (in the transcript)  >=  fed (in the window)  >=  covered (by a summary)

Only `settled` and `covered` are committed. After a crash, what was read is read again, and what was
settled but not yet fed comes back from the transcript itself. `settling` is the way to the first
two, `rolling` to the last.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from engine import Loss, NoFreeRow, Session, SessionLost
from worker.intake.entries import Rejected
from worker.intake.feed import Feed
from worker.keyspace.committer import Committer
from worker.keyspace.frozen import plain
from worker.stream.inbox import Inbox
from worker.stream.kit import Kit
from worker.stream.memory_view import MemoryView
from worker.stream.outbox import Commit, Outbox
from worker.stream.outputs import Outputs
from worker.stream.rolling import Rolling
from worker.stream.saving import Saving
from worker.stream.settling import Settling
from worker.stream.snapshots import Snapshots
from worker.stream.standing import Reached


class LiveStream:
    """The life of one stream in this worker, from `recovery.open_stream` to `close`."""

    def __init__(self, kit: Kit, outbox: Outbox, session: Session, feed: Feed):
        views, now = plain(outbox.next.views), kit.clock()
        self.session = session
        self.feed = feed
        self.outbox = outbox
        self.is_leaving = False  # asked to let the stream go
        self.is_moving = False  # asked to let it go to another worker, as soon as it can be saved
        self.loss: Loss | None = None  # its session is lost, and how
        self._kit = kit
        self._outputs = Outputs(kit.settings, outbox)
        self._settling = Settling(kit, outbox, self._outputs, feed, views)
        self._rolling = Rolling(kit, self._outputs, feed, views)
        self._memory = MemoryView(kit.engine, session, now=now)
        self._saving = Saving(kit, session, feed)
        self._fed_at = now
        self._lacks_place = False  # something is to be written, and all places to write are taken
        self._can_settle = True  # nothing of what is to be written is the next entry
        self._holds_still = False  # nothing is fed until the window is computed and copied

    @property
    def name(self) -> str:
        return self.outbox.lease.stream

    def told(self) -> dict[str, str | int]:
        """For logs; the entry is the last whose outputs are durable."""
        lease, entry = self.outbox.lease, self.outbox.checkpoint.entry_id
        return {"stream": lease.stream, "epoch": lease.epoch, "entry": entry}

    @property
    def inbox(self) -> Inbox:
        return self._settling.inbox

    @property
    def wants_entries(self) -> bool:
        return self._settling.wants_entries

    @property
    def reached(self) -> Reached:
        """How far the input was read, whether or not that is published yet."""
        return self.inbox.reached(self.outbox.next.input)

    @property
    def active_at(self) -> float:
        """When it was last read or fed."""
        return max(self._fed_at, self._settling.taken_at)

    @property
    def is_hurried(self) -> bool:
        """Asked for its summary now: another stream wants the row."""
        return self._settling.is_hurried

    def hurry(self) -> None:
        self._settling.is_hurried = True

    def end_here(self, *, is_followed: bool = False) -> None:
        """What follows belongs to the stream's next life."""
        self._settling.end_here(is_followed=is_followed)

    @property
    def is_followed(self) -> bool:
        """It has ended, and there is more to read under its name."""
        return self._settling.is_followed

    # ---- in

    def take_in(self) -> None:
        """Entries become lines of the transcript, lines become tokens of the window; summaries and
        answers are begun when they are due."""
        self._can_settle = self._has_place(self._settling.settle)
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

    def _obey(self) -> None:
        settling, request = self._settling, self._settling.request
        if request is None:
            return
        if request.kind in ("flush", "close") and not settling.is_heard_out:
            settling.finish()
        if not self._is_caught_up:
            return
        if isinstance(request, Rejected):
            self._outputs.rejected(request.republished())
        elif request.kind == "ask":
            self._rolling.ask(request)
            return  # carried out when it is answered
        if request.kind == "flush" and (self._num_uncovered or self._rolling.is_summarising):
            return  # carried out when the summary that is due now is there
        if request.kind == "close":
            settling.end_here()
        self.is_leaving |= request.kind == "release"
        settling.carried_out(request)

    @property
    def _is_caught_up(self) -> bool:
        return self._is_fed and self._settling.is_written

    @property
    def _is_fed(self) -> bool:
        """Whether the window has seen and computed all that is published."""
        is_fed = self.feed.num_waiting == 0 and self.session.num_pending == 0
        return is_fed and not self.session.is_lost

    @property
    def _num_uncovered(self) -> int:
        return self.session.num_seen - self._rolling.covered

    def _feed_window(self) -> None:
        if self._holds_still:
            return
        session, kit = self.session, self._kit
        ahead = 2 * kit.engine.config.max_chunk - session.num_pending
        tokens = self.feed.take(min(ahead, self._rolling.room(session.num_seen)))
        if tokens:
            kit.engine.feed(session, tokens)
            kit.metrics.fed(len(tokens))
            self._fed_at = kit.clock()

    def finish_line(self) -> None:
        """Feeds what is left of a line that is fed in part, as far as there is room: a session can
        be saved between two lines only."""
        if self.session.is_lost:
            return
        left = min(self.feed.num_left_of_line, self._rolling.room(self.session.num_seen))
        self._kit.engine.feed(self.session, self.feed.take(left))

    def _begin_views(self) -> None:
        reason = self._rolling.due(self.session.num_seen, self._owed)
        wants_copy = reason is not None or self._rolling.wants_a_copy
        wants_saving = self._saving.is_due or (self.is_moving and self.feed.is_between_lines)
        self._holds_still = wants_copy or (wants_saving and self._can_be_saved)
        if not wants_copy or self.session.num_pending:
            return
        self._rolling.begin(self.session, reason)
        self._holds_still = False

    @property
    def _owed(self) -> str | None:
        """Why a summary of all that was read is due now, whatever its cadence says."""
        is_owing = self._num_uncovered and self._is_caught_up
        return self._settling.asked_for if is_owing else None

    # ---- out

    def take_out(self) -> None:
        """What the model has finished goes into the outbox, and the stream ends when it is over."""
        self._kit.metrics.slid_out(self._memory.newly_slid_out(self.session))
        answered = self._rolling.take_out(self._settling.last_entry)
        request = self._settling.request
        if answered and not answered.is_rolling and request:
            self._settling.carried_out(request)
        if self._is_over:
            self._end()
        elif self._memory.is_due(self.session, self._kit.clock()):
            self._publish_memory()

    def _publish_memory(self) -> None:
        now, last_entry = self._kit.clock(), self._settling.last_entry
        self._outputs.memory(self._memory.read(self.session, last_entry, now))

    @property
    def _is_over(self) -> bool:
        """What was asked for before the end is answered before it: the next life knows nothing."""
        is_at_its_end = self._settling.has_ended and self.outbox.next.status == "live"
        is_done = self._is_caught_up and not self._num_uncovered and self._rolling.is_done
        return is_at_its_end and is_done and self._settling.request is None

    def _end(self) -> None:
        self._rolling.publish_the_last(self._settling.last_entry)
        self._publish_memory()
        self.outbox.advance(status="closed", snapshot="")
        self._kit.metrics.closed()

    # ---- keeping

    def commit(self, committer: Committer) -> Commit | None:
        """Raises StaleOwner (drop this stream) and redis' connection errors (call again)."""
        commit = self.outbox.commit(committer, self._settling.to_json() | self._rolling.to_json())
        self.inbox.committed()
        return commit

    def pending(self) -> dict[str, str] | None:
        """Words to come, if they are others than those that were asked for last."""
        return self._settling.pending()

    @property
    def _can_be_saved(self) -> bool:
        """Nobody takes up the session of a stream that has ended."""
        return not (self.session.is_lost or self._settling.has_ended)

    def save(self, snapshots: Snapshots, *, last_chance: bool = False) -> None:
        """Saves the session if that is due, or if this is the last chance."""
        is_wished = last_chance or self._saving.is_due
        if is_wished and self._can_be_saved and self._saving.is_at_rest:
            self._saving.save(snapshots, self.outbox)

    @property
    def can_move(self) -> bool:
        """Whether another worker may be asked to have it: one that has ended stays."""
        return self._can_be_saved and not (self.is_leaving or self.is_moving)

    @property
    def moves_at_no_cost(self) -> bool:
        """Whether it could be saved now, and nothing that is being written would be lost."""
        return self._saving.is_at_rest and not self._rolling.is_busy

    @property
    def goes_now(self) -> bool:
        return self.is_leaving or (self.is_moving and self._saving.is_at_rest)

    @property
    def is_closed(self) -> bool:
        """Its end is committed."""
        return self.outbox.is_empty and self.outbox.checkpoint.status == "closed"

    @property
    def is_silent(self) -> bool:
        """Nothing to settle or feed until something arrives, or until the clock says so."""
        return self._settling.is_silent and self._is_fed

    @property
    def is_resting(self) -> bool:
        """Nothing to do until something arrives, or until the clock says so. Tokens that wait for
        the engine's next steps are the engine's to do."""
        is_owed = self._holds_still or (self.is_hurried and self._num_uncovered > 0)
        is_going = self._settling.has_ended or self.is_leaving or self.is_moving
        is_going |= self.session.is_lost or not self._settling.is_written
        is_idle = self.inbox.is_empty and self.feed.num_waiting == 0 and self.outbox.is_empty
        return is_idle and not (is_owed or is_going) and self._rolling.is_done

    @property
    def is_queueing(self) -> bool:
        """Nothing to do until it has a place to write."""
        has_nothing = self.inbox.is_empty and self._settling.is_written
        is_settled = has_nothing or not self._can_settle
        is_idle = is_settled and self.session.num_pending == 0 and self.outbox.is_empty
        is_busy = self._rolling.is_busy or self.is_leaving
        return self._lacks_place and is_idle and not (is_busy or self.session.is_lost)

    @property
    def is_quiet(self) -> bool:
        """Nothing is unread, unsummarised or unanswered here, whatever became of its session."""
        is_covered = self._rolling.covered == self.feed.published and not self._settling.has_ended
        is_idle = self._settling.is_empty and self.outbox.is_empty
        return is_covered and is_idle and self._rolling.is_done

    def check_coverage(self) -> None:
        """No token is outside the window that no summary has covered."""
        assert self._num_uncovered <= self.session.window.num_kept  # noqa: S101

    def close(self) -> None:
        """Gives every row back; what is not committed is forgotten."""
        self._settling.close()
        self._rolling.close()
        self._kit.engine.close(self.session)
