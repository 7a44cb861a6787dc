"""Worker processes, as whoever starts, signals and outlives them sees them (nursery.py)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_SECONDS = 600.0


class Worker:
    """One process. `status`: None while it lives, then its exit status (negative: the signal)."""

    def __init__(self, pid: int, log: Path, at: str | None) -> None:
        self.pid = pid
        self.log = log
        self.at = at  # the moment at which it ends by itself
        self.status: int | None = None
        self.started_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        return self.status is None

    @property
    def is_ready(self) -> bool:
        return " ready." in self.output()

    @property
    def is_frozen(self) -> bool:
        with suppress(OSError):
            stat = Path(f"/proc/{self.pid}/stat").read_text()
            return stat.rpartition(")")[2].split()[0] == "T"
        return False

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended in time."""
        deadline = time.monotonic() + seconds
        while self.is_alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.is_alive


class Nursery:
    """Where workers come from; all of them are gone when it is."""

    def __init__(self, python: Sequence[str] = (sys.executable,), **environment: str) -> None:
        self._process = subprocess.Popen(
            [*python, "-m", "tests.chaos.nursery"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._num_started = 0
        self._workers: dict[int, Worker] = {}
        self._born: dict[str, int] = {}
        self._is_ready = False
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def spawn(self, log: Path, environment: Mapping[str, str], *, at: str | None = None) -> Worker:
        """Returns at once after the fork; `worker.is_ready` comes half a second later."""
        self._wait_for(lambda: self._is_ready)
        self._num_started += 1
        name = str(self._num_started)
        order = {"name": name, "log": str(log), "environment": dict(environment)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        self._wait_for(lambda: name in self._born)
        worker = Worker(self._born[name], log, at)
        self._workers[worker.pid] = worker
        return worker

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(START_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _wait_for(self, condition: Any) -> None:
        with self._news:
            if not self._news.wait_for(condition, START_SECONDS):
                raise AssertionError("the nursery does not answer")

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError):  # closed
            for line in self._process.stdout:
                with self._news:
                    self._note(json.loads(line))
                    self._news.notify_all()

    def _note(self, news: dict[str, Any]) -> None:
        if "ready" in news:
            self._is_ready = True
        elif "pid" in news:
            self._born[news["name"]] = news["pid"]
        elif news["ended"] in self._workers:
            self._workers.pop(news["ended"]).status = news["status"]
