"""How far the owned streams are behind their publishers, and whether they are still the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from redis import Redis

from worker.keyspace.inputs import Info, infos
from worker.stream.live_stream import LiveStream
from worker.watch.metrics import Metrics

SECONDS_BETWEEN = 2.0
FEW = 16  # of the streams that rest, at least so many are asked about at a time
MAX_TURNS = 30  # and each of them once in so many times


class Lag:
    """Asks Redis about all streams that have work at once, and not more often than every two
    seconds. One that rests was read to its end a moment ago; in its turn it is asked whether it is
    still the stream that was read: another of its name, with lower ids, would never be heard."""

    def __init__(self, redis: Redis, metrics: Metrics):
        self._redis = redis
        self._metrics = metrics
        self._asked_at = float("-inf")
        self._turn = 0

    def report(self, streams: Iterable[LiveStream], now: float) -> list[LiveStream]:
        """Returns those of the resting ones that are not what was read under their names."""
        if now - self._asked_at < SECONDS_BETWEEN:
            return []
        self._asked_at = now
        streams = list(streams)
        resting = [stream for stream in streams if stream.is_resting]
        busy = [stream for stream in streams if not stream.is_resting]
        in_turn = self._in_turn(resting)
        found = infos(self._redis, [stream.name for stream in (*busy, *in_turn)])
        unread = [_num_unread(info, stream) for info, stream in zip(found, busy, strict=False)]
        wall = time.time()
        self._metrics.lag(
            entries=unread, seconds=[stream.inbox.num_seconds_behind(wall) for stream in busy]
        )
        num_idle = sum(stream.is_quiet for stream in streams)
        self._metrics.streams({"live": len(streams) - num_idle, "idle": num_idle})
        asked = zip(in_turn, found[len(busy) :], strict=True)
        return [stream for stream, info in asked if info and not _is_the_same(stream, info)]

    def _in_turn(self, resting: Sequence[LiveStream]) -> Sequence[LiveStream]:
        self._turn += 1
        num_turns = max(1, min(MAX_TURNS, len(resting) // FEW))
        return resting[self._turn % num_turns :: num_turns]


def _is_the_same(stream: LiveStream, info: Info) -> bool:
    return stream.reached.is_in(info["mark"], info["last-generated-id"].decode())


def _num_unread(info: Info | None, stream: LiveStream) -> int:
    """Entries that were added and are not settled; a stream that was deleted has none."""
    if info is None:
        return 0
    num_added: int = info["entries-added"]
    return max(0, num_added - stream.outbox.next.entries_read)
