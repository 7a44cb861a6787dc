"""A real Celery worker in a process of its own, as a person would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


class CeleryWorker:
    """`python -m COMMAND`, its output in `log`."""

    def __init__(self, command: list[str], log: Path, **environment: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        until(lambda: " ready." in self.output() or self.process.poll() is not None, self.output)
        assert self.process.poll() is None, self.output()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; the exit status."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.output()}") from None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def celery_worker(
    app: str, log: Path, *arguments: str, **environment: str
) -> Iterator[CeleryWorker]:
    """`celery -A APP worker`, gone at the end of the block whatever happened in it."""
    command = ["celery", "-A", app, "worker", "--loglevel=INFO", *arguments]
    with running(command, log, **environment) as worker:
        yield worker


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[CeleryWorker]:
    """A worker that is started by any other command."""
    worker = CeleryWorker(command, log, **environment)
    try:
        yield worker
    finally:
        worker.kill()


def until(condition: Callable[[], object], story: Callable[[], object]) -> None:
    """Wait for `condition`; after `PATIENCE_SECONDS` fail with `story()`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, story()
        time.sleep(0.02)
