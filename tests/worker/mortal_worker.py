"""A worker that can die at any moment: before or after any command to the server, or in any step.

Its pipeline, streams and keys are real, on a real server; engine and restorer are at the seam.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from prometheus_client import CollectorRegistry
from redis import Connection, ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from engine import Engine
from tests.worker.paper_engine import PaperEngine
from tests.worker.workbench import SeamRestorer
from worker.keyspace.source import Arrivals, Source
from worker.pipeline import Pipeline
from worker.settings.config import Settings
from worker.stream.kit import Kit, engine_config
from worker.views.restore import Restorer
from worker.watch.metrics import Metrics

NUM_ADVANCES = 3  # rounds that restoring a text takes


class Death(BaseException):
    """As kill -9: nothing that catches errors notices."""


class Fate:
    """`moments` are counted down; whoever is at the last one dies."""

    def __init__(self) -> None:
        self.num_left: int | None = None

    def moment(self) -> None:
        if self.num_left is not None:
            self.num_left -= 1
            if self.num_left <= 0:
                raise Death


class MortalConnection(Connection):
    def __init__(self, *, fate: Fate, **options: Any):
        super().__init__(**options)
        self._fate = fate

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._fate.moment()
        super().send_packed_command(command, check_health)

    def read_response(self, *args: Any, **options: Any) -> Any:
        answer = super().read_response(*args, **options)
        self._fate.moment()
        return answer


@dataclass
class SlowRestorer(SeamRestorer):
    fate: Fate

    def begin(self, text: str, **_around: object) -> SlowRestoration:
        return SlowRestoration(self.fate, text)


@dataclass
class SlowRestoration:
    fate: Fate
    text: str
    num_left: int = NUM_ADVANCES

    def advance(self) -> str | None:
        self.fate.moment()
        self.num_left -= 1
        return None if self.num_left else self.text.upper()

    def close(self) -> None:
        """It holds nothing."""


class HastySource(Source):
    """A server that has nothing to do looks at its clock ten times a second: so long it may take
    until a wait of a millisecond is over."""

    def read(
        self,
        cursors: Mapping[str, str],
        request_cursors: Mapping[str, str],
        *,
        count: int,
        block_seconds: float,
    ) -> Arrivals:
        return super().read(cursors, request_cursors, count=count, block_seconds=0.0)


class MortalWorker:
    number = itertools.count()

    def __init__(self, settings: Settings, port: int):
        self.now = 0.0
        self.fate = Fate()
        engine = cast(Engine, PaperEngine(engine_config(settings), self.fate.moment))
        kit = Kit.make(engine, settings, Metrics(CollectorRegistry()), clock=lambda: self.now)
        kit = replace(kit, restorer=cast(Restorer, SlowRestorer(self.fate)))
        redis, blocking = self._connect(port), self._connect(port)
        source = HastySource(blocking, settings.entry_limits)
        owner = f"worker {next(self.number)}"
        self.pipeline = Pipeline(kit, redis, source, owner=owner)

    def _connect(self, port: int) -> Redis:
        pool: ConnectionPool[Any] = ConnectionPool(
            connection_class=MortalConnection,
            fate=self.fate,
            port=port,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        return Redis(connection_pool=pool)

    def run(self, num_rounds: int, *, seconds: float = 0.0) -> None:
        for _ in range(num_rounds):
            self.now += seconds
            self.pipeline.run_once()
            for stream in self.pipeline.owned.streams.values():
                stream.feed.check_integrity()
                stream.check_coverage()
