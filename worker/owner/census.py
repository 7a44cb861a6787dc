"""How many of the owned streams are busy, and whether those that rest are still the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redis import Redis

from worker.keyspace.inputs import Info, infos
from worker.stream.live_stream import LiveStream
from worker.watch.metrics import Metrics

SECONDS_BETWEEN = 2.0
FEW = 16  # of the streams that rest, at least so many are asked about at a time
MAX_TURNS = 30  # and each of them once in so many times


class Census:
    """Looks not more often than every two seconds. A stream that rests was read to its end a moment
    ago; in its turn Redis is asked whether it is still the stream that was read: another of its
    name, with lower ids, would never be heard."""

    def __init__(self, redis: Redis, metrics: Metrics):
        self._redis = redis
        self._metrics = metrics
        self._taken_at = float("-inf")
        self._turn = 0

    def take(self, streams: Iterable[LiveStream], now: float) -> list[LiveStream]:
        """Returns those of the resting ones that are not what was read under their names."""
        if now - self._taken_at < SECONDS_BETWEEN:
            return []
        self._taken_at = now
        streams = list(streams)
        num_idle = sum(stream.is_quiet for stream in streams)
        self._metrics.streams({"live": len(streams) - num_idle, "idle": num_idle})
        in_turn = self._in_turn([stream for stream in streams if stream.is_resting])
        found = infos(self._redis, [stream.name for stream in in_turn])
        asked = zip(in_turn, found, strict=False)
        return [stream for stream, info in asked if info and not _is_the_same(stream, info)]

    def _in_turn(self, resting: Sequence[LiveStream]) -> Sequence[LiveStream]:
        self._turn += 1
        num_turns = max(1, min(MAX_TURNS, len(resting) // FEW))
        return resting[self._turn % num_turns :: num_turns]


def _is_the_same(stream: LiveStream, info: Info) -> bool:
    return stream.reached.is_in(info["mark"], info["last-generated-id"].decode())
