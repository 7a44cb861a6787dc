"""One performance of the talk on a running server: wait, play, stay, end.

All of it happens in one thread; a signal only sets `stopped`, which every loop looks at.
"""

from __future__ import annotations

import threading
import time

from worker.demo.processes import WorkerProcess
from worker.demo.speaking import Feed
from worker.demo.state import DemoState
from worker.demo.views import View
from worker.demo.watch import Watch

WAIT_SECONDS = 0.05


class Conductor:
    """Raises WorkerFailed from every loop, if the worker ends before it is asked to."""

    def __init__(
        self,
        state: DemoState,
        feed: Feed,
        watch: Watch,
        worker: WorkerProcess,
        view: View,
        stopped: threading.Event,
    ):
        self._state = state
        self._feed = feed
        self._watch = watch
        self._worker = worker
        self._view = view
        self._stopped = stopped

    def perform(self, *, keep: bool) -> None:
        """All of it, up to the orderly end of the worker.

        keep: when it is over, leave everything as it is until a signal comes.
        """
        self._view.stage("Starting the Celery worker; it loads PyTorch and the model ...")
        self._worker.start()
        self._wait_for_first_line()
        if self._stopped.is_set():
            self._worker.abandon()
            return
        self._play()
        while keep and not self._stopped.is_set():
            self._look()
            self._view.update(self._state, time.monotonic())
        self._view.stage("Ending the worker in order ...")
        self._worker.stop()
        self._watch.read(block_seconds=WAIT_SECONDS)

    def _wait_for_first_line(self) -> None:
        self._feed.publish_first()
        while not (self._state.shown.lines or self._stopped.is_set()):
            self._look()

    def _play(self) -> None:
        """Until the last output of every stream is there."""
        self._state.started_at = self._feed.start_pace(time.monotonic())
        while not (self._state.is_done or self._stopped.is_set()):
            self._feed.publish_due(time.monotonic())
            self._look()
            self._view.update(self._state, time.monotonic())
        self._state.ended_at = time.monotonic()

    def _look(self) -> None:
        self._worker.check()
        self._watch.read(block_seconds=WAIT_SECONDS)
