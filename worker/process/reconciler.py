"""Finds live streams that nobody owns and says so, again and again.

This makes messages expendable: one that is lost, or that met only full workers, is repeated at the
next round. A lease that will run out before the next round is waited for by whoever saw it: a
stream whose owner died is named when it becomes free, and not up to a round later. A round that
takes long, because there are so many streams, is made less often.

Leases run out by the server's clock. When that is put forward they all have: then no stream is
offered until each owner has had the time to renew its own.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from kombu.exceptions import OperationalError
from redis import Redis

from worker.keyspace.lease import prolong_turn, take_turn
from worker.keyspace.registry import Look
from worker.keyspace.server_clock import ServerClock
from worker.keyspace.trouble import is_passing

logger = logging.getLogger(__name__)

AFTERWARDS_SECONDS = 0.02  # the server needs a moment to see that a lease has run out
TOGETHER_SECONDS = 0.2  # leases that run out within this time are looked at together

ROUND_KEY = "weir:reconciler"
"""Held for one interval by whoever makes this interval's round; it runs out by itself."""

PAUSES = 2
"""After a look at all streams there is none for so many times as long as it took."""

MOST_MESSAGES, MOST_STREAMS = 8, 64
"""A message wakes every worker that has nothing to do, and its streams go to one of them. So there
are few at a time, with up to so many streams each, and more only if those are full."""

LONG_NAME = 1000
"""A name of more characters than that has a message of its own: a message can be too big."""

TOLERATED_SECONDS = 1.0
"""A server's clock that goes faster than ours by this much in one interval was put forward."""


class Reconciler(threading.Thread):
    """One round every `interval_seconds` among all workers that share a Redis.

    `look` looks at the streams that it is given, or at all there are (None). `send_adopt` offers
    some streams to one worker."""

    def __init__(
        self,
        redis: Redis,
        look: Callable[[Sequence[str] | None], Look],
        send_adopt: Callable[[Sequence[str]], object],
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
        self._quiet_until = self._due_at = clock()
        self._round_key = round_key
        self._ending: Mapping[str, float] = {}  # leases that run out soon, in how many seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._try_round()
            self._stopping.wait(self._seconds_to_wait())

    def stop(self) -> None:
        """Ends soon; a round in progress may still send a few messages, which do no harm."""
        self._stopping.set()

    def reconcile(self) -> int:
        """Make this interval's round unless another worker has, or look again at what ended since
        the last one of ours; returns how many streams were offered."""
        self._look_at_the_clock()
        if self._clock() < self._quiet_until:
            self._ending = {}
            return 0
        seen = self._look_at_all() if self._is_our_turn() else self._look_again()
        for streams in offers(seen.unowned):
            self._send_adopt(streams)
        # Before the next round; but who lives renews long before half of a lease is over.
        soon = min(self._due_at - self._clock(), self._lease_seconds / 2)
        self._ending = {s: left for s, left in seen.seconds_left.items() if left < soon}
        return len(seen.unowned)

    def _seconds_to_wait(self) -> float:
        next_round = max(0.0, self._due_at - self._clock())
        if not self._ending:
            return next_round
        first = min(self._ending.values()) + AFTERWARDS_SECONDS
        return min(next_round, max(first, TOGETHER_SECONDS))

    def _is_our_turn(self) -> bool:
        if self._clock() < self._due_at:
            return False
        self._due_at = self._clock() + self._interval_seconds
        # Shorter than the interval, or a lone worker would find its own last round in the way.
        return take_turn(self._redis, self._round_key, seconds=0.9 * self._interval_seconds)

    def _look_at_all(self) -> Look:
        began_at = self._clock()
        seen = self._look(None)
        pause_seconds = PAUSES * (self._clock() - began_at)
        if pause_seconds > self._interval_seconds:
            self._due_at = self._clock() + pause_seconds
            prolong_turn(self._redis, self._round_key, seconds=0.9 * pause_seconds)
        return seen

    def _look_again(self) -> Look:
        return self._look(list(self._ending)) if self._ending else Look([])

    def _look_at_the_clock(self) -> None:
        moved = self._server_clock.moved_seconds()
        if moved > TOLERATED_SECONDS:
            logger.warning(
                "Redis' clock was put forward by %.1f s: owners get time to renew", moved
            )
            self._quiet_until = self._due_at = self._clock() + self._lease_seconds

    def _try_round(self) -> None:
        try:
            self.reconcile()
        except Exception as error:
            # Without rounds no stream finds an owner, so this thread outlives a round that failed.
            if isinstance(error, OperationalError) or is_passing(error):
                logger.warning("No streams are looked for: Redis: %s", error)
            else:
                logger.exception("A round of the reconciler failed")


def offers(streams: Sequence[str]) -> list[Sequence[str]]:
    """The streams of each message."""
    alone = [[name] for name in streams if len(name) > LONG_NAME]
    others = [name for name in streams if len(name) <= LONG_NAME]
    num = max(min(len(others), MOST_MESSAGES), math.ceil(len(others) / MOST_STREAMS))
    return [*alone, *(others[first::num] for first in range(num))]
