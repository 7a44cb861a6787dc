"""One look at everything, as `weir streams` takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from redis import Redis

from worker.keyspace.figures import StreamFigures, figures, server_seconds
from worker.keyspace.server_info import ServerFigures, server_figures


@dataclass(frozen=True)
class Reading:
    """at_seconds: when it ended, by the server's clock. took_seconds: by ours."""

    server: ServerFigures
    streams: list[StreamFigures]
    at_seconds: float
    took_seconds: float


def read(
    redis: Redis, patterns: Iterable[str], *, clock: Callable[[], float] = time.monotonic
) -> Reading:
    """Raises redis' errors: a reading is whole, or there is none."""
    began_at = clock()
    server, streams = server_figures(redis), figures(redis, patterns)
    return Reading(server, streams, server_seconds(redis), clock() - began_at)
