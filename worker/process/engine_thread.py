"""The one thread that touches the engine: it runs the pipeline until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from redis.exceptions import RedisError

from worker.keyspace.trouble import is_passing
from worker.watch.metrics import Metrics

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""The pause after a round that found nothing to do; whoever has work ends it at once."""

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0


class Runnable(Protocol):
    """A pipeline as seen from outside. `adopt`, `release` and `wake` are for any thread."""

    wake: threading.Event
    """Set when there may be work: ends the pause of an idle loop."""

    def run_once(self) -> bool:
        """Do what there is to do; False if there was nothing. After a connection error: again."""

    def adopt(self, stream: str) -> None:
        """Take the stream soon, if there is room and nobody owns it; returns at once."""

    def release(self, stream: str) -> None:
        """Give the stream back soon, if it is owned here; returns at once."""

    def close(self, seconds: float) -> None:
        """Commit, save the sessions, give every stream back, within so many seconds."""


class EngineThread(threading.Thread):
    """Runs `pipeline` until `stop`, then closes it.

    `failure` is the exception that ended it, None while it runs and after an orderly end. After a
    failure the pipeline is not closed: what it holds may be wrong, and the last commit is not.
    `ended` is called from this thread after a failure, `beat` once in every round. `seconds_left`
    says, when it was told to stop, how long the end may still take.
    """

    def __init__(
        self,
        pipeline: Runnable,
        metrics: Metrics,
        *,
        beat: Callable[[], None],
        ended: Callable[[], None],
        seconds_left: Callable[[], float],
    ) -> None:
        super().__init__(name="weir-engine", daemon=True)
        self.failure: BaseException | None = None
        self._pipeline = pipeline
        self._metrics = metrics
        self._beat = beat
        self._ended = ended
        self._seconds_left = seconds_left
        self._stopping = threading.Event()
        self._retry_seconds = FIRST_RETRY_SECONDS

    def stop(self) -> None:
        """Take nothing more in: the step in progress is the last. Returns at once."""
        self._stopping.set()
        self._pipeline.wake.set()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._beat()
                self._run_once()
            self._pipeline.close(self._seconds_left())
        except BaseException as failure:
            logger.critical("The pipeline failed; this worker ends", exc_info=True)
            self.failure = failure
            self._metrics.engine_failed()
            self._ended()

    def _run_once(self) -> None:
        try:
            self._pipeline.wake.clear()
            worked = self._pipeline.run_once()
            if not worked and not self._stopping.is_set():
                self._pipeline.wake.wait(IDLE_SECONDS)
            self._retry_seconds = FIRST_RETRY_SECONDS
        except RedisError as error:
            if not is_passing(error):
                raise
            logger.warning("Redis: %s; trying again in %.1f s", error, self._retry_seconds)
            self._metrics.redis_failed()
            self._stopping.wait(self._retry_seconds)
            self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
