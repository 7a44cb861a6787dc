"""The whole story of a worker, on one screen: read -> take in -> step -> take out -> commit.

One thread calls `run_once` again and again and owns everything here; `adopt`, `release`, `wake`
and `moving` are for the others. Whatever a round was doing when its process died, Redis has either
all of a commit or nothing of it, and the next owner goes on from there.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import uuid
from collections.abc import Callable
from functools import partial

from redis import Redis

from engine import Engine, StepReport
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.source import Source
from worker.owner.census import Census
from worker.owner.moving import Moving
from worker.owner.ownership import Ownership
from worker.settings.config import Settings
from worker.stream.kit import Kit, engine_config, setup_line
from worker.stream.live_stream import LiveStream
from worker.watch.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_CLOSING_STEPS = 64
# Of the time that the end may take. What is not computed by then is fed again from the transcript,
# what is not saved is rebuilt from it, and whoever is not given back is left to its lease.
COMPUTING_SHARE, SAVING_SHARE, LEAVING_SHARE = 0.3, 0.6, 0.9
# A thousand streams to take up must not keep those that are here waiting, nor these those: they
# share the time in halves.
OBEYING_SECONDS = 0.05
# To ask for the news of all streams takes time for each: the more there are, the longer they are
# waited for at a time. News ends the wait at once; a stream to take up, or a summary due, does not.
WAITING_SECONDS_PER_STREAM = 0.0005
MOST_WAITING_SECONDS = 1.0


class Pipeline:
    """The streams that this worker owns, and the engine that reads them."""

    def __init__(self, kit: Kit, redis: Redis, source: Source, *, owner: str):
        self.wake = threading.Event()
        self._kit = kit
        self._engine = kit.engine
        self._source = source
        self.owned = Ownership(kit, redis, owner=owner)
        self.moving = Moving(self.owned, self._order, kit.clock, owner=owner)
        self._census = Census(redis, kit.metrics)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._obeyed_at = kit.clock()

    @classmethod
    def open(cls, settings: Settings, metrics: Metrics) -> Pipeline:
        """Loads the engine. Raises engine.EngineError and ValueError, each with what to do."""
        config = engine_config(settings)
        metrics.describe(model=config.model, device=config.device, dtype=config.dtype)
        engine = Engine.load(config)
        logger.info("%s", setup_line(engine))
        kit = Kit.make(engine, settings, metrics)
        source = Source(connect_blocking(settings, settings.block_seconds), settings.entry_limits)
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        return cls(kit, connect(settings, waits_once=True), source, owner=owner)

    # ---- for any thread

    def adopt(self, stream: str) -> None:
        """Take the stream soon, if there is room and nobody owns it."""
        self._order(partial(self.owned.adopt, stream))

    def release(self, stream: str) -> None:
        """Give the stream back soon, if it is owned here."""
        self._order(partial(self.owned.release, stream))

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.put(order)
        self.wake.set()

    # ---- for the engine's thread

    def run_once(self) -> bool:
        """One round; False if there is nothing to do until somebody adopts a stream.

        Raises redis' errors. After one that passes (`is_passing`) nothing is lost: call again.
        """
        self._obey()
        self._read()
        self.owned.begin_round()
        self.owned.each(LiveStream.take_in)
        self._kit.wait_for_words()
        report = self._engine.step()
        self.owned.note(report.losses)
        self.owned.each(LiveStream.take_out)
        self.owned.commit()
        self.owned.tend()
        self._report(report)
        return bool(self._streams)

    def close(self, seconds: float) -> None:
        """Computes what was fed, saves and commits it, and gives every stream back; all that within
        `seconds`, or as much of it as there is time for."""
        clock, began_at = self._kit.clock, self._kit.clock()
        self.owned.begin_round(with_all=True)
        self.owned.each(LiveStream.finish_line)
        for _ in range(MAX_CLOSING_STEPS):
            is_late = clock() > began_at + COMPUTING_SHARE * seconds
            if is_late or not any(stream.session.num_pending for stream in self._streams):
                break
            self._engine.step()
        self.owned.leave_all(
            saving_until=began_at + SAVING_SHARE * seconds,
            leaving_until=began_at + LEAVING_SHARE * seconds,
        )
        self._kit.close()

    @property
    def _streams(self) -> list[LiveStream]:
        return list(self.owned.streams.values())

    def _obey(self) -> None:
        """For as long as the rest of the last round took, at most."""
        clock, began_at = self._kit.clock, self._kit.clock()
        last = began_at + max(OBEYING_SECONDS, began_at - self._obeyed_at)
        while not self._orders.empty() and clock() <= last:
            self._orders.get()()
        self._obeyed_at = clock()

    def _read(self) -> None:
        """Entries and requests of streams that have room; waits, for all, only if all is quiet."""
        streams, settings = self.owned.streams, self._kit.settings
        if not streams:
            return
        is_idle = self._is_idle
        now = self._kit.clock()
        asked = self._streams if is_idle else self.owned.rounds.to_read(now)
        arrivals = self._source.read(
            {s.name: s.inbox.read_id for s in asked if s.wants_entries},
            {s.name: s.inbox.request_read_id for s in asked},
            count=settings.read_count,
            block_seconds=waiting_seconds(settings, len(streams)) if is_idle else 0.0,
        )
        for stream in asked:
            stream.inbox.looked_at = now
        missed = self._source.count_missed(
            {name: streams[name].inbox.num_read for name in arrivals.entries}, arrivals
        )
        for name, entries in arrivals.entries.items():
            if not streams[name].reached.mark:  # it is there now: which one is it?
                self.owned.take_again(streams[name])
                continue
            streams[name].inbox.arrive(entries, num_missed=missed.get(name, 0))
            self.owned.rounds.wake(name)
        for name, requests in arrivals.requests.items():
            if name not in streams:
                continue
            streams[name].inbox.arrive_requests(requests)
            self.owned.rounds.wake(name)

    @property
    def _is_idle(self) -> bool:
        has_work = self._engine.has_work or not self._orders.empty()
        return not has_work and self.owned.rounds.all_are_silent

    def _report(self, report: StepReport) -> None:
        metrics = self._kit.metrics
        metrics.step(report)
        metrics.memory(self._engine.memory())
        for stream in self._census.take(self.owned.streams.values(), self._kit.clock()):
            self.owned.take_again(stream)


def waiting_seconds(settings: Settings, num_streams: int) -> float:
    """How long an idle worker waits for entries at a time; leases are renewed in between."""
    longest = min(MOST_WAITING_SECONDS, settings.lease_seconds / 10)
    return max(settings.block_seconds, min(longest, WAITING_SECONDS_PER_STREAM * num_streams))
