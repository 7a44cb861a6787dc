"""Finds live streams that nobody owns and says so, again and again.

This makes messages expendable: one that is lost, or that met only full workers, is repeated at the
next round.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from kombu.exceptions import OperationalError
from redis import Redis

from worker.keyspace.lease import take_turn
from worker.keyspace.trouble import is_passing
from worker.watch.metrics import Metrics

logger = logging.getLogger(__name__)

ROUND_KEY = "weir:reconciler"
"""Held for one interval by whoever makes this interval's round; it runs out by itself."""


class Reconciler(threading.Thread):
    """One round every `interval_seconds` among all workers that share a Redis."""

    def __init__(
        self,
        redis: Redis,
        unowned: Callable[[], Iterable[str]],
        send_adopt: Callable[[str], object],
        metrics: Metrics,
        *,
        interval_seconds: float,
        round_key: str = ROUND_KEY,
    ) -> None:
        super().__init__(name="weir-reconciler", daemon=True)
        self._redis = redis
        self._unowned = unowned
        self._send_adopt = send_adopt
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._round_key = round_key
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._try_round()
            self._stopping.wait(self._interval_seconds)

    def stop(self) -> None:
        """Ends soon; a round in progress may still send a few messages, which do no harm."""
        self._stopping.set()

    def reconcile(self) -> int:
        """Make this interval's round unless another worker has; returns the messages sent."""
        # Shorter than the interval, or a lone worker would find its own last round in the way.
        is_ours = take_turn(self._redis, self._round_key, seconds=0.9 * self._interval_seconds)
        unowned = list(self._unowned()) if is_ours else []
        self._metrics.unowned(len(unowned))
        for stream in unowned:
            self._send_adopt(stream)
        return len(unowned)

    def _try_round(self) -> None:
        try:
            self.reconcile()
        except Exception as error:
            # Without rounds no stream finds an owner, so this thread outlives a round that failed.
            if isinstance(error, OperationalError) or is_passing(error):
                logger.warning("No streams are looked for: Redis: %s", error)
            else:
                logger.exception("A round of the reconciler failed")
