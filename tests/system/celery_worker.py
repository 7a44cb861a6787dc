"""A real Celery worker in a process of its own.

As a person would start it, or, where it is not the start that matters, forked from a process that
has imported Celery already: imports are nearly all that a start costs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from celery.__main__ import main as celery

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0

_FORKS = multiprocessing.get_context("forkserver")
# None of these reads the environment.
_FORKS.set_forkserver_preload([__name__, "celery.bin.worker", "worker.process.broker"])


class Forked:
    """Celery with the words of a command line, with the face of a subprocess.Popen."""

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        log.write_bytes(b"")
        self._process = _FORKS.Process(target=_become, args=(words, log, environment))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("celery", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, how: signal.Signals) -> None:
        if self._process.exitcode is None:
            os.kill(self._process.pid or 0, how)

    def kill(self) -> None:
        self._process.kill()


def _become(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(words)
    celery()


class CeleryWorker:
    """A process, and its output in `log`."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, log: Path) -> None:
        self.process = process
        self.log = log

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
    with running(_command(app, *arguments), log, **environment) as worker:
        yield worker


@contextmanager
def forked_worker(app: str, log: Path, **environment: str) -> Iterator[CeleryWorker]:
    """The same, where it is not the start that matters."""
    with _until_the_end(Forked(_command(app), log, {**os.environ, **environment}), log) as worker:
        yield worker


@contextmanager
def running(command: Sequence[str], log: Path, **environment: str) -> Iterator[CeleryWorker]:
    """A worker that is started by any other command, `python -m COMMAND`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with _until_the_end(process, log) as worker:
        yield worker


def _command(app: str, *arguments: str) -> list[str]:
    return ["celery", "-A", app, "worker", "--loglevel=INFO", *arguments]


@contextmanager
def _until_the_end(process: subprocess.Popen[bytes] | Forked, log: Path) -> Iterator[CeleryWorker]:
    worker = CeleryWorker(process, log)
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
