"""The memory view of one stream: figures that stay level while the stream goes on."""

from __future__ import annotations

import time

import psutil

from engine import Engine, Session

SECONDS_BETWEEN = 1.0


class MemoryView:
    """At most one reading a second, and none while nothing changes."""

    def __init__(self, engine: Engine, session: Session, *, now: float):
        self._engine = engine
        self._num_slid_out = session.num_slid_out
        self._process = psutil.Process()
        self._read_at = now
        self._num_seen = -1

    def newly_slid_out(self, session: Session) -> int:
        """Tokens that left the window since this was asked last."""
        before, self._num_slid_out = self._num_slid_out, session.num_slid_out
        return self._num_slid_out - before

    def is_due(self, session: Session, now: float) -> bool:
        return session.num_seen != self._num_seen and now - self._read_at >= SECONDS_BETWEEN

    def read(self, session: Session, entry: str, now: float) -> dict[str, str]:
        """`kv_bytes` is this stream's row, exactly; `at` is in seconds since 1970."""
        self._read_at, self._num_seen = now, session.num_seen
        memory = self._engine.memory()
        figures = {
            "kv_bytes": memory.bytes_per_row,
            "kv_bytes_total": memory.kv_bytes_total,
            "rss_bytes": self._process.memory_info().rss,
            "tokens_seen": session.num_seen,
            "tokens_slid_out": session.num_slid_out,
            "window_fill": session.window_fill,
            "window_size": session.window.size,
        }
        fields = {"entry": entry, "at": f"{time.time():.3f}"}
        return fields | {name: str(value) for name, value in figures.items()}
