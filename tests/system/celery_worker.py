"""A real Celery worker in a process of its own.

As a person would start it, or, where it is not the start that matters, forked (tests/forks).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.forks import KILL, PYTHON, wait_for_imports

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


class CeleryWorker:
    """A process, and its output in `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, kill: signal.Signals) -> None:
        """kill: what kills it, so that it has gone when the process has."""
        self.process = process
        self.log = log
        self._kill = kill

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
        self.process.send_signal(self._kill)
        self.process.wait()


@contextmanager
def celery_worker(
    app: str, log: Path, *arguments: str, **environment: str
) -> Iterator[CeleryWorker]:
    """`celery -A APP worker`, gone at the end of the block whatever happened in it."""
    with running(_command(app, *arguments), log, **environment) as worker:
        yield worker


@contextmanager
def forked_worker(
    app: str, log: Path, *arguments: str, **environment: str
) -> Iterator[CeleryWorker]:
    """The same, where it is not the start that matters."""
    with running(_command(app, *arguments), log, python=PYTHON, **environment) as worker:
        yield worker


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    *,
    python: Sequence[str] = (sys.executable,),
    **environment: str,
) -> Iterator[CeleryWorker]:
    """A worker that is started by any other command, `python -m COMMAND`."""
    if python is PYTHON:
        wait_for_imports()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*python, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    worker = CeleryWorker(process, log, KILL if python is PYTHON else signal.SIGKILL)
    try:
        yield worker
    finally:
        worker.kill()


def _command(app: str, *arguments: str) -> list[str]:
    return ["celery", "-A", app, "worker", "--loglevel=INFO", *arguments]


def until(condition: Callable[[], object], story: Callable[[], object]) -> None:
    """Wait for `condition`; after `PATIENCE_SECONDS` fail with `story()`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, story()
        time.sleep(0.02)
