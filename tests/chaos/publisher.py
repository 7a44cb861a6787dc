"""Publishes talks, each entry once, whatever happens to the server meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from tests.chaos.talks import Fields, Talk
from worker.keyspace.keys import stream_keys

PAUSE_SECONDS = 0.05
MOST_AHEAD = 16


def connect(port: int) -> Redis:
    """A client that repeats nothing by itself."""
    return Redis(
        port=port, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0), protocol=2
    )


class Publisher(threading.Thread):
    """Every entry has a number of ours: after a lost reply the stream itself says if it is there.

    `speaking` is cleared for silence. An entry that was on its way then is there before
    `be_silent` returns.
    """

    def __init__(self, redis: Redis, talks: Sequence[Talk], *, entries_per_second: float) -> None:
        super().__init__(name="chaos-publisher", daemon=True)
        self.talks = list(talks)
        self.num_published = 0
        self._redis = redis
        self._pause_seconds = 1 / entries_per_second
        self._speaking = threading.Event()
        self._is_between = threading.Lock()
        self._is_over = threading.Event()
        self._speaking.set()

    def run(self) -> None:
        while not self._is_over.is_set():
            for talk in list(self.talks):
                self._speaking.wait()
                if self._is_over.is_set():
                    return
                with self._is_between:
                    is_wanted = self._speaking.is_set() and talk in self.talks
                    if is_wanted and not self._is_far_ahead(talk):
                        self.publish(talk, talk.next())
                time.sleep(self._pause_seconds)

    def be_silent(self) -> None:
        self._speaking.clear()
        with self._is_between:
            pass

    def speak(self) -> None:
        self._speaking.set()

    def end(self) -> None:
        """Nothing more is published but the ends of all streams."""
        self._is_over.set()
        self._speaking.set()
        self.join()
        for talk in self.talks:
            self.publish(talk, {"end_of_stream": "1"})

    def close(self) -> None:
        self._is_over.set()
        self._speaking.set()

    def publish(self, talk: Talk, fields: Fields) -> None:
        number = str(self.num_published + 1)
        is_sure = True
        while True:
            try:
                if is_sure or not self._has_come(talk, number):
                    self._redis.xadd(talk.stream, {**fields, "n": number})
                break
            except (RedisConnectionError, RedisTimeoutError):
                is_sure = False
            except RedisError:
                pass  # full, read-only, loading: it took nothing
            time.sleep(PAUSE_SECONDS)
            if self._is_over.is_set() and "end_of_stream" not in fields:
                return
        self.num_published += 1

    def _is_far_ahead(self, talk: Talk) -> bool:
        """On a slow machine nobody could ever read all that was said in the meantime."""
        try:
            settled = self._redis.hget(stream_keys(talk.stream).state, "entry_id") or "0-0"
            return (
                len(self._redis.xrange(talk.stream, f"({settled}", count=MOST_AHEAD)) == MOST_AHEAD
            )
        except RedisError:
            return False

    def _has_come(self, talk: Talk, number: str) -> bool:
        last = self._redis.xrevrange(talk.stream, count=1)
        return bool(last) and last[0][1].get("n") == number
