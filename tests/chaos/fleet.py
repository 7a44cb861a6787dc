"""Whole worker processes beside a real server, what is published for them, and who owns what."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from redis import Redis

from worker.keyspace.keys import stream_keys

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 60.0


def sentence(number: int) -> str:
    return f"This is sentence {number} of the stream, and says something of gate {number % 7}."


class Fleet:
    """`workers` are processes in the order of their start; `owners` is what the leases say."""

    def __init__(
        self, url: str, folder: Path, streams: Sequence[str], *, entries_per_second: float
    ):
        self._url, self._folder = url, folder
        self.streams = streams
        self._pause_seconds = 1 / entries_per_second
        self._redis = Redis.from_url(url, decode_responses=True)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.published = Counter[str]()
        self.owners: dict[str, str] = {}
        self.pauses: list[float] = []  # seconds without an owner, of each stream that moved
        self._num_told = 0
        self._free_since: dict[str, float] = {}
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=part) for part in (self._publish, self._look)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def add(self, num_workers: int) -> None:
        told = {"REDIS_URL": self._url, "METRICS_PORT": "0", "DISCOVER_SECONDS": "1"}
        told |= {f"{name}_DIR": str(self._folder / name) for name in ("SNAPSHOT", "PARK")}
        env = {**os.environ, **{f"WEIR_{name}": value for name, value in told.items()}}
        command = [sys.executable, "-m", "worker", "worker"]
        for _ in range(num_workers):
            with (self._folder / "workers.log").open("ab") as log:
                process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            self.workers.append(process)

    def drain_last(self) -> None:
        """Empties the newest worker and ends it."""
        worker = self.workers.pop()
        [name] = {self.owners[stream] for stream in self.streams_of(worker.pid)}
        env = {**os.environ, "WEIR_REDIS_URL": self._url}
        command = [sys.executable, "-m", "worker", "drain", name.rpartition(":")[0]]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        worker.terminate()
        worker.wait()

    def kill_first(self) -> float:
        """kill -9 of the oldest worker; returns when."""
        worker = self.workers.pop(0)
        worker.kill()
        killed_at = time.monotonic()
        worker.wait()
        return killed_at

    def streams_of(self, pid: int) -> list[str]:
        return [stream for stream, owner in self.owners.items() if f":{pid}:" in owner]

    def watch(self, seconds: float, what: str) -> None:
        """what: was done since the last time."""
        time.sleep(seconds)
        shares = sorted(Counter(self.owners.values()).values())
        print(f"{what:<24} streams {shares}, {len(self.pauses) - self._num_told} moved", flush=True)
        self._num_told = len(self.pauses)

    def finish(self) -> list[str]:
        """The streams whose transcript is not what was published."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        until = time.monotonic() + PATIENCE_SECONDS
        while (wrong := self._wrong()) and time.monotonic() < until:
            time.sleep(1.0)
        return wrong

    def stop(self) -> None:
        self._is_over.set()
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait()

    def _wrong(self) -> list[str]:
        return [name for name in self.streams if self._told(name) != self._said(name)]

    def _told(self, name: str) -> list[str]:
        return [fields["text"] for _, fields in self._redis.xrange(stream_keys(name).transcript)]

    def _said(self, name: str) -> list[str]:
        return [sentence(number) for number in range(self.published[name])]

    def _publish(self) -> None:
        while not self._is_over.is_set():
            name = self.streams[self.published.total() % len(self.streams)]
            self._redis.xadd(name, {"text": sentence(self.published[name]), "speaker": "Ann"})
            self.published[name] += 1
            time.sleep(self._pause_seconds)

    def _look(self) -> None:
        redis = Redis.from_url(self._url, decode_responses=True)
        leases = [stream_keys(name).lease for name in self.streams]
        while not self._is_over.is_set():
            for name, owner in zip(self.streams, redis.mget(leases), strict=True):
                self._note(name, owner, time.monotonic())
            time.sleep(LOOK_SECONDS)

    def _note(self, name: str, owner: str | None, now: float) -> None:
        last = self.owners.get(name)
        if owner is None:
            self._free_since.setdefault(name, now)
            return
        free_since = self._free_since.pop(name, now)
        if last is not None and last != owner:
            self.pauses.append(now - free_since)
        self.owners[name] = owner
