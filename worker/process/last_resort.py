"""Ends the process when it does not end, or go on, by itself.

Two things may take for ever: a round of the engine's thread, and the way out. Nothing that is left
undone then is lost, for the truth is in Redis; but whoever starts workers anew waits for this one
to end. So it says what it was doing, line by line of every thread, and ends with a failure.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from celery.platforms import EX_FAILURE

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
WITHOUT_US_SECONDS = 5.0
"""Code that holds the interpreter lets no thread of ours look: the process ends so much later."""


class Pulse(Protocol):
    """The engine thread's heartbeat."""

    @property
    def has_begun(self) -> bool:
        """False while the model loads, which may take as long as it likes."""

    def age_seconds(self) -> float: ...


class LastResort(threading.Thread):
    """hung_seconds: how long a round may take; nought: for ever. end_seconds: how long the way out
    may, from `expect_end` on. arm, end: see below; tests have others."""

    def __init__(
        self,
        pulse: Pulse,
        *,
        hung_seconds: float,
        end_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        arm: Callable[[float | None], None] | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name="weir-last-resort", daemon=True)
        self._pulse = pulse
        self._hung_seconds = hung_seconds
        self._end_seconds = end_seconds
        self._clock = clock
        self._arm = arm or _arm
        self._end = end or _end_process
        self._ends_at: float | None = None
        self._is_over = threading.Event()

    @property
    def is_end_expected(self) -> bool:
        return self._ends_at is not None

    def check(self) -> str | None:
        """For whoever asks whether there is work to be had here."""
        return "this worker ends" if self.is_end_expected else None

    def seconds_left(self) -> float:
        """For the way out."""
        left = self._end_seconds if self._ends_at is None else self._ends_at - self._clock()
        return max(0.0, left)

    def expect_end(self) -> None:
        """The process was asked to end. The first time counts. Safe in a signal handler."""
        if self._ends_at is None:
            self._ends_at = self._clock() + self._end_seconds

    def run(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        patience = self._patience()
        if patience is None:
            self._arm(None)
            return
        seconds, line = patience
        if seconds > 0:
            self._arm(seconds + WITHOUT_US_SECONDS)
            return
        logger.critical("%s", line)
        self._is_over.set()
        self._end()

    def _patience(self) -> tuple[float, str] | None:
        """How much longer it is waited for, and what is to be said then."""
        if self.is_end_expected:
            line = "This worker did not end in %.0f s (WEIR_STOP_SECONDS), and is ended as it is"
            return self.seconds_left(), line % self._end_seconds
        if not self._hung_seconds or not self._pulse.has_begun:
            return None
        line = (
            "The engine's thread has not gone round for %.0f s (WEIR_HUNG_SECONDS): this worker "
            "ends, to be started anew. What every thread was doing is below"
        )
        return self._hung_seconds - self._pulse.age_seconds(), line % self._hung_seconds


def _arm(seconds: float | None) -> None:
    """The process ends then, whatever it is doing, unless it is armed anew before."""
    faulthandler.cancel_dump_traceback_later()
    if seconds is not None:
        faulthandler.dump_traceback_later(seconds, exit=True)


def _end_process() -> None:
    faulthandler.dump_traceback(all_threads=True)
    os._exit(EX_FAILURE)
