"""What it takes to keep a session: saving and restoring it on disk, copying it in memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from engine.bench.interleaved import Advance
from engine.bench.subject import Subject

T = TypeVar("T")


@dataclass(frozen=True)
class SnapshotCosts:
    """Medians, in seconds; the file of one session with a full window, in bytes.

    Saving ends when the file is on the disk (fsync), restoring includes the checksum.
    """

    save_seconds: float
    restore_seconds: float
    fork_seconds: float
    file_bytes: int
    row_bytes: int


def measure_snapshots(subject: Subject, num_rounds: int, advance: Advance) -> SnapshotCosts:
    engine = subject.engine
    saves, restores, forks = [], [], []
    with (
        TemporaryDirectory() as folder,
        subject.session_of(2 * engine.window.size) as session,
    ):
        path = Path(folder) / "session.safetensors"
        for _ in range(1 + num_rounds):
            saves.append(_timed(partial(engine.save, session, path))[0])
            seconds, restored = _timed(partial(engine.restore, path))
            restores.append(seconds)
            engine.close(restored)
            seconds, fork = _timed(partial(engine.fork, session))
            forks.append(seconds)
            engine.close(fork)
            advance(1)
        file_bytes = path.stat().st_size
    # The first of each warms up.
    return SnapshotCosts(
        save_seconds=statistics.median(saves[1:]),
        restore_seconds=statistics.median(restores[1:]),
        fork_seconds=statistics.median(forks[1:]),
        file_bytes=file_bytes,
        row_bytes=engine.memory().bytes_per_row,
    )


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = act()
    return time.perf_counter() - started, result
