"""Celery's consumer, which waits for a server that is away, or there and takes no writes."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from redis.exceptions import ResponseError

from worker.keyspace.trouble import server_words

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
MOST_SECONDS_BETWEEN_TRIES = 5.0


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """As Celery's, but for what it says, how soon it tries again, and that it does so for ever.

    Celery itself prints a traceback for each error of the broker's. Between two tries it waits
    while there is no connection; one that is there and answers with an error (a server that is
    full, read-only or failing over) it would use again at once, a hundred times a second.
    """

    def ensure_connected(self, conn: Any) -> Any:
        """Raises WorkerShutdown and WorkerTerminate within a second or two of being told to."""
        return conn.ensure_connection(
            _say_away,
            interval_start=PAUSE_SECONDS,
            interval_step=PAUSE_SECONDS,
            interval_max=MOST_SECONDS_BETWEEN_TRIES,
            callback=maybe_shutdown,
        )

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        logger.warning("Redis, as Celery's broker: %s; trying again", _said(exc))
        with suppress(Exception):  # it may be half closed
            self.connection.collect()
        if isinstance(exc, ResponseError):
            time.sleep(PAUSE_SECONDS)


def _say_away(error: Exception, seconds: float) -> None:
    logger.warning("Redis, as Celery's broker: %s; trying again in %.0f s", _said(error), seconds)


def _said(error: Exception) -> str:
    words = server_words(error)
    if words.startswith("WRONGTYPE"):
        return "one of its keys (weir:celery:...) has a wrong type; delete it"
    return words
