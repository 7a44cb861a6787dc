"""From a kill -9 to the next output of each stream that the dead worker owned."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis import Redis

from worker.keyspace.keys import stream_keys

# A commit that was with the server already when its worker died is none of another worker's.
_ON_ITS_WAY_MS = 30


@dataclass(frozen=True)
class _Death:
    stream: str
    at_ms: float


class Takeovers:
    """The server's ids are times, and its clock is ours."""

    def __init__(self) -> None:
        self._deaths: list[_Death] = []
        self.num_kills = 0

    def killed(self, pid: int, streams: Iterable[str], redis: Redis) -> None:
        """Call right after a kill. Counts only streams that another worker can take up now."""
        at_ms = time.time() * 1000
        self.num_kills += 1
        for stream in streams:
            owner = redis.get(stream_keys(stream).lease)
            if owner and f":{pid}:" in owner:
                self._deaths.append(_Death(stream, at_ms))

    def take(self, streams: Sequence[str], redis: Redis) -> list[float]:
        """Of their deaths with an output after them, and no other death of the stream's before
        it; they are forgotten then."""
        measured = []
        ours = [death for death in self._deaths if death.stream in streams]
        self._deaths = [death for death in self._deaths if death.stream not in streams]
        for death in ours:
            first = self._next_output_ms(redis, death)
            others = [d.at_ms for d in ours if d.stream == death.stream]
            if first is not None and not any(death.at_ms < at < first for at in others):
                measured.append((first - death.at_ms) / 1000)
        return measured

    def _next_output_ms(self, redis: Redis, death: _Death) -> int | None:
        start = f"{int(death.at_ms) + _ON_ITS_WAY_MS}-0"
        found = redis.xrange(stream_keys(death.stream).transcript, min=start, count=1)
        return int(found[0][0].split("-")[0]) if found else None
