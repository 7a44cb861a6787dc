"""Finds live streams that nobody owns and says so, again and again.

This makes messages expendable: one that is lost, or that met only full workers, is repeated at the
next round. A lease that will run out before the next round is waited for by whoever saw it: a
stream whose owner died is named when it becomes free, and not up to a round later.

Leases run out by the server's clock. When that is put forward they all have: then no stream is
offered until each owner has had the time to renew its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from kombu.exceptions import OperationalError
from redis import Redis

from worker.keyspace.lease import take_turn
from worker.keyspace.registry import Look
from worker.keyspace.server_clock import ServerClock
from worker.keyspace.trouble import is_passing

logger = logging.getLogger(__name__)

AFTERWARDS_SECONDS = 0.02  # the server needs a moment to see that a lease has run out

ROUND_KEY = "weir:reconciler"
"""Held for one interval by whoever makes this interval's round; it runs out by itself."""

TOLERATED_SECONDS = 1.0
"""A server's clock that goes faster than ours by this much in one interval was put forward."""


class Reconciler(threading.Thread):
    """One round every `interval_seconds` among all workers that share a Redis."""

    def __init__(
        self,
        redis: Redis,
        look: Callable[[], Look],
        send_adopt: Callable[[str], object],
        *,
        interval_seconds: float,
        lease_seconds: float,
        round_key: str = ROUND_KEY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="weir-reconciler", daemon=True)
        self._redis = redis
        self._look = look
        self._send_adopt = send_adopt
        self._interval_seconds = interval_seconds
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._server_clock = ServerClock(redis, clock)
        self._quiet_until = clock()
        self._round_key = round_key
        self._waits_for: float | None = None  # seconds until a lease runs out, seen in our round
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._try_round()
            self._stopping.wait(
                self._interval_seconds if self._waits_for is None else self._waits_for
            )

    def stop(self) -> None:
        """Ends soon; a round in progress may still send a few messages, which do no harm."""
        self._stopping.set()

    def reconcile(self) -> int:
        """Make this interval's round unless another worker has; returns the messages sent."""
        self._look_at_the_clock()
        if self._clock() < self._quiet_until:
            self._waits_for = None
            return 0
        seen = self._look() if self._is_our_turn() else Look([])
        for stream in seen.unowned:
            self._send_adopt(stream)
        if seen.next_seconds is not None and seen.next_seconds < self._interval_seconds:
            self._waits_for = seen.next_seconds + AFTERWARDS_SECONDS
        return len(seen.unowned)

    def _is_our_turn(self) -> bool:
        if self._waits_for is not None:  # the second look of a round that was ours
            self._waits_for = None
            return True
        # Shorter than the interval, or a lone worker would find its own last round in the way.
        return take_turn(self._redis, self._round_key, seconds=0.9 * self._interval_seconds)

    def _look_at_the_clock(self) -> None:
        moved = self._server_clock.moved_seconds()
        if moved > TOLERATED_SECONDS:
            logger.warning(
                "Redis' clock was put forward by %.1f s: owners get time to renew", moved
            )
            self._quiet_until = self._clock() + self._lease_seconds

    def _try_round(self) -> None:
        try:
            self.reconcile()
        except Exception as error:
            # Without rounds no stream finds an owner, so this thread outlives a round that failed.
            if isinstance(error, OperationalError) or is_passing(error):
                logger.warning("No streams are looked for: Redis: %s", error)
            else:
                logger.exception("A round of the reconciler failed")
