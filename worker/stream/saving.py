"""One stream's session, saved now and then for a quick restart."""

from __future__ import annotations

import logging

from engine import Session, SessionLost
from worker.intake.feed import Feed
from worker.stream.kit import Kit
from worker.stream.outbox import Outbox
from worker.stream.snapshots import Snapshots

log = logging.getLogger(__name__)


class Saving:
    """When the session was saved last, or taken up, and what it had seen then. A line that is fed
    in part is finished first: a snapshot stands between two lines."""

    def __init__(self, kit: Kit, session: Session, feed: Feed):
        self._kit = kit
        self._session = session
        self._feed = feed
        self._at = kit.clock()
        self._num_seen = session.num_seen

    @property
    def is_at_rest(self) -> bool:
        """Between two lines, with nothing left to compute: it can be saved."""
        return self._feed.is_between_lines and self._session.num_pending == 0

    @property
    def is_due(self) -> bool:
        is_late = self._kit.clock() - self._at >= self._kit.settings.snapshot_seconds
        return is_late and self._is_new and self._feed.is_between_lines

    @property
    def _is_new(self) -> bool:
        return self._session.num_seen != self._num_seen

    def save(self, snapshots: Snapshots, outbox: Outbox) -> None:
        """The next commit says so; nothing is done if the last one still holds.

        A session that cannot be saved costs its next owner time, never text.
        """
        if outbox.next.snapshot and not self._is_new:
            return
        kit, session, now = self._kit, self._session, self._kit.clock()
        self._at, self._num_seen = now, session.num_seen
        try:
            name = snapshots.save(kit.engine, session, outbox.lease, outbox.next)
            num_bytes = snapshots.num_bytes(name)
        except (OSError, SessionLost) as error:
            log.warning("%s: its session could not be saved: %s", outbox.lease.stream, error)
            return
        outbox.advance(snapshot=name)
        kit.metrics.snapshot(kit.clock() - now, num_bytes)
