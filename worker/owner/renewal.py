"""Leases kept by renewing them, some at a time: thousands at once would hold up a round."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from worker.keyspace.lease import Leases, Refusal
from worker.owner.rotation import Rotation
from worker.stream.live_stream import LiveStream
from worker.watch.logs import about
from worker.watch.metrics import Metrics

log = logging.getLogger(__name__)

_LOST: dict[Refusal, str] = {
    "taken": "another worker has taken it over, or the server does not know it any more",
    "older": "the server has lost commits of it",
}


class Renewal:
    """Every stream's lease is renewed three times in its length."""

    def __init__(self, leases: Leases, metrics: Metrics, *, lease_seconds: float, now: float):
        self._leases = leases
        self._metrics = metrics
        self._turns = Rotation(lease_seconds / 3, now=now)
        self._pause_seconds = lease_seconds / 30
        self._renewed_at = now

    def add(self, name: str) -> None:
        self._turns.add(name)

    def remove(self, name: str) -> None:
        self._turns.remove(name)

    def lost(self, streams: Mapping[str, LiveStream], now: float) -> list[LiveStream]:
        """Renews those whose turn it is; returns those that are not ours any more."""
        if now - self._renewed_at < self._pause_seconds:
            return []
        self._renewed_at = now
        due = [streams[name].outbox for name in self._turns.turns(now)]
        known = {outbox.lease: outbox.checkpoint.num_commits for outbox in due}
        refused = self._leases.renew(known)
        for lease, why in refused.items():
            with about(streams[lease.stream].told):
                log.warning("%s: dropped: %s", lease.stream, _LOST[why])
            self._metrics.lease_lost(why)
        return [streams[lease.stream] for lease in refused]
