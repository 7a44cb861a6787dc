"""A worker whose pipeline only writes down what it is told: `-A tests.system.recording_app`.

All of Celery, the bootstep, the tasks and the reconciler are the real ones. Tests read `told`, and
make the pipeline fail, or hang, by putting the name of a failure into `fail`.
"""

from __future__ import annotations

import ctypes
import os
import queue
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import ConnectionError

from worker.app import make_app
from worker.keyspace.connection import connect
from worker.keyspace.lease import Lease, Leases
from worker.settings.config import Settings
from worker.watch.metrics import Metrics

TOLD = "test:told"
FAIL = "test:fail"


def _raise(error: Exception) -> None:
    raise error


FAILURES: dict[bytes, Callable[[], object]] = {
    b"bug": lambda: _raise(RuntimeError("a bug in the pipeline")),
    b"network": lambda: _raise(ConnectionError("gone")),
    b"hang": lambda: threading.Event().wait(),
    # As native code that waits and keeps the interpreter for itself meanwhile.
    b"hold": lambda: ctypes.PyDLL(None).sleep(3600),
}


class RecordingMoves:
    """The streams of a worker that has no load and gives nothing."""

    def __init__(self, redis: Redis, owner: str, *, take: Callable[[str], None]) -> None:
        self.owner = owner
        self.busy = (time.monotonic(), ())
        self.is_draining = False
        self.take = take
        self._redis = redis

    def count(self) -> None:
        pass

    def hand(self, stream: str, receiver: str) -> None:
        self._redis.rpush(TOLD, f"hand {stream} {receiver}")

    def when_given(self, tell: Callable[[str, str], None]) -> None:
        pass


class RecordingPipeline:
    """Owns streams for real, by their lease, and reads nothing."""

    def __init__(self, redis: Redis, *, lease_seconds: float) -> None:
        self.wake = threading.Event()
        self.moving = RecordingMoves(redis, f"recorder-{os.getpid()}", take=self.adopt)
        self._redis = redis
        self._leases = Leases(redis, self.moving.owner, lease_seconds=lease_seconds)
        self._owned: dict[str, Lease] = {}
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()

    @classmethod
    def open(cls, settings: Settings, metrics: Metrics) -> RecordingPipeline:
        metrics.describe(model="none", device="cpu", dtype="float32")
        return cls(connect(settings, waits_once=True), lease_seconds=settings.lease_seconds)

    def adopt(self, stream: str) -> None:
        self._orders.put(stream)
        self.wake.set()

    def release(self, stream: str) -> None:
        self._redis.rpush(TOLD, f"release {stream}")

    def run_once(self) -> bool:
        failure = self._redis.lpop(FAIL)
        if failure:
            FAILURES[failure]()
        while not self._orders.empty():
            stream = self._orders.get()
            self._redis.rpush(TOLD, f"adopt {stream}")
            lease = self._leases.acquire(stream)
            if lease:
                self._owned[stream] = lease
        self._leases.renew(dict.fromkeys(self._owned.values(), 0))
        return False

    def close(self, _seconds: float) -> None:
        for lease in self._owned.values():
            self._leases.release(lease)
        self._redis.rpush(TOLD, "close")


app = make_app(RecordingPipeline.open)
