"""The demo's Celery worker: an ordinary `weir worker`, in a process and a session of its own.

Ctrl-C in the terminal does not reach it: the demo ends it in order, before the server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

STOP_SECONDS = 60.0
"""The worker itself gives its engine 45 seconds to save and commit."""

NUM_TAIL_LINES = 15


class WorkerFailed(Exception):
    """The worker ended by itself, or did not end when asked to; the message shows its log."""


class WorkerProcess:
    """Runs from `start` to `stop`, at the latest to the end of a `with` block.

    What it prints goes to a temporary file, which is left there if it failed.
    """

    def __init__(self, settings: Mapping[str, str]):
        """settings: the `WEIR_*` variables that it gets over those of this process."""
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path: Path | None = None

    def start(self) -> None:
        handle, name = tempfile.mkstemp(prefix="weir-demo-worker-", suffix=".log")
        self._log_path = Path(name)
        with os.fdopen(handle, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker", "worker"],
                env=worker_environment(os.environ, self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises WorkerFailed if it is not running any more."""
        if self._process is not None and self._process.poll() is not None:
            raise self._failure(f"the worker ended with exit code {self._process.returncode}")

    def stop(self) -> None:
        """Ask it to finish and wait for it. Raises WorkerFailed if it must be killed."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise self._failure(
                f"the worker did not end within {STOP_SECONDS:g} s and was killed"
            ) from None

    def abandon(self) -> None:
        """End it at once: it is still loading, has nothing to lose, and would finish that first."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._log_path is not None and not isinstance(error, WorkerFailed):
            self._log_path.unlink()

    def _failure(self, what: str) -> WorkerFailed:
        if self._log_path is None:
            return WorkerFailed(what)
        lines = self._log_path.read_text(errors="replace").splitlines()[-NUM_TAIL_LINES:]
        tail = "\n".join(f"  {line}" for line in lines)
        return WorkerFailed(
            f"{what}; all of its log is in {self._log_path}, the end of it:\n{tail}"
        )


def worker_environment(ours: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Ours with `settings` over it, and without a password meant for another server."""
    foreign = {"WEIR_REDIS_PASSWORD", "WEIR_REDIS_PASSWORD_FILE"}
    kept = {name: value for name, value in ours.items() if name not in foreign}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}
