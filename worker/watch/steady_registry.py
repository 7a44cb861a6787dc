"""A registry that always answers with what is known."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)


class SteadyRegistry(CollectorRegistry):
    """A figure that cannot be asked for now is left out of a scrape; all others are in it."""

    def register(self, collector: Collector) -> None:
        super().register(_Steady(collector))


class _Steady(Collector):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._has_failed = False

    def describe(self) -> Iterable[Metric]:
        describe = getattr(self._collector, "describe", None)
        return describe() if describe else ()

    def collect(self) -> Iterable[Metric]:
        try:
            return list(self._collector.collect())
        except Exception:
            if not self._has_failed:  # said once: scrapes come every few seconds
                logger.exception("A metric cannot be asked for, and is left out")
            self._has_failed = True
            return ()
