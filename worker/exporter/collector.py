"""A reading for each scrape: there is nothing in between that could grow old."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from redis import RedisError

from worker.exporter.families import families, up
from worker.exporter.reading import Reading

_log = logging.getLogger(__name__)


class RedisCollector(Collector):
    """While Redis does not answer, `weir_redis_up` is 0 and nothing else is said.

    explain: what to tell a person of such an error; said when it begins, and not at each scrape.
    """

    def __init__(
        self,
        read: Callable[[], Reading],
        *,
        num_worst: int,
        explain: Callable[[Exception], str] = str,
    ) -> None:
        self._read = read
        self._num_worst = num_worst
        self._explain = explain
        self._is_away = False

    def collect(self) -> Iterable[Metric]:
        try:
            reading = self._read()
        except RedisError as error:
            self._note_away(error)
            return [up(False)]
        if self._is_away:
            _log.warning("Redis answers again")
        self._is_away = False
        return [up(True), *families(reading, num_worst=self._num_worst)]

    def _note_away(self, error: RedisError) -> None:
        if not self._is_away:
            _log.warning("No figures but weir_redis_up 0: %s", self._explain(error))
        self._is_away = True
