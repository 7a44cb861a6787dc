"""Celery's consumer, which waits for a server that is there and takes no writes."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from celery.worker.consumer import Consumer
from redis.exceptions import ResponseError

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """As Celery's, but for what it says and how soon it tries again after an error of the broker's.

    Celery itself prints a traceback each time. Between two tries it waits while there is no
    connection; one that is there and answers with an error (a server that is full, read-only or
    failing over) it would use again at once, a hundred times a second.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        logger.warning("Redis, as Celery's broker: %s; trying again", exc)
        with suppress(Exception):  # it may be half closed
            self.connection.collect()
        if isinstance(exc, ResponseError):
            time.sleep(PAUSE_SECONDS)
