"""A server that loses what servers lose: all since a copy was made, the end of its log, or nothing.

Its log is of one order, so what a loss leaves is what was there at some moment before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from redis import Redis

from worker.keyspace.embedded import EmbeddedServer


class FallibleServer(EmbeddedServer):
    """`every_second`: what it answered may be lost for a second, as most servers are run.
    `environment`: of its process, besides ours (clocks.py)."""

    def __init__(
        self, *, every_second: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(durable=True)
        self._every_second = every_second
        self._environment = environment or {}

    def start(self) -> None:
        before = dict(os.environ)
        os.environ.update(self._environment)
        try:
            super().start()
        finally:
            for name in self._environment.keys() - before.keys():
                del os.environ[name]
        if self._every_second:
            with Redis(port=self.port) as redis:
                redis.config_set("appendfsync", "everysec")

    @property
    def log_folder(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "appendonlydir"

    @property
    def log_file(self) -> Path:
        return max(self.log_folder.glob("*.incr.aof"))

    def copy(self) -> Path:
        """As it is now; a running one is copied at a moment between two commands, or within one
        that its next start then passes over."""
        copy = Path(mkdtemp(prefix="weir-chaos-")) / "appendonlydir"
        shutil.copytree(self.log_folder, copy)
        return copy

    def rewind(self, copy: Path) -> None:
        """It has ended, and what starts again is what it was when `copy` was made."""
        self.kill()
        shutil.rmtree(self.log_folder)
        shutil.copytree(copy, self.log_folder)
        self.start()

    def lose_tail(self, num_bytes: int) -> None:
        """It has ended, and the last bytes of its log never reached the disk."""
        self.kill()
        with self.log_file.open("r+b") as log:
            size = log.seek(0, 2)
            log.truncate(max(0, size - num_bytes))
        self.start()
