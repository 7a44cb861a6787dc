"""The primary changes while entries are written and read: real servers, real sentinels.

What counts is what the last primary has: its input says what must be told, once and in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from redis import Redis, RedisError

from tests.worker.keyspace.watched import Watched, until
from tests.worker.workbench import KEYS, STREAM, Workbench, sentence, settings_for
from worker.keyspace.connection import connect
from worker.keyspace.publisher import Publisher
from worker.settings.config import Settings


class Speaker(threading.Thread):
    """Publishes sentences until `end`, through whatever happens to the server."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._redis = connect(settings)
        self._publisher = Publisher(self._redis, STREAM)
        self._is_over = threading.Event()
        self.num_said = 0

    def run(self) -> None:
        while not self._is_over.wait(0.05):
            self._say({"text": sentence(self.num_said)})
            self.num_said += 1
        self._say({"end_of_stream": "1"})
        self._redis.close()

    def end(self) -> None:
        self._is_over.set()
        self.join()

    def _say(self, fields: dict[str, str]) -> None:
        while not self._is_published(fields):
            pass

    def _is_published(self, fields: dict[str, str]) -> bool:
        try:
            self._publisher.publish([fields])
        except RedisError:
            return False
        return True


@contextmanager
def speaking(settings: Settings) -> Iterator[Speaker]:
    speaker = Speaker(settings)
    speaker.start()
    try:
        yield speaker
    finally:
        speaker.end()


def work_until(bench: Workbench, holds: Callable[[], bool]) -> None:
    until(lambda: bench.run_in_trouble(1) >= 0 and holds())


def hear(bench: Workbench, speaker: Speaker, num_more: int) -> list[str]:
    """The next so many sentences, said while the worker works."""
    start = speaker.num_said
    work_until(bench, lambda: speaker.num_said >= start + num_more)
    return [sentence(number) for number in range(start, speaker.num_said)]


def cut_off(watched: Watched) -> None:
    """From now on the replica gets nothing."""
    with watched.client(watched.replica) as replica, watched.client(watched.primary) as primary:
        replica.config_set("masterauth", "another")
        primary.execute_command("CLIENT", "KILL", "TYPE", "replica")


def column(redis: Redis, key: str, name: str) -> list[str]:
    found = (fields.get(name.encode(), b"").decode() for _, fields in redis.xrange(key))
    return [value for value in found if value]


def test_what_a_replica_never_got_is_told_nowhere_and_the_rest_once_in_order(
    tmp_path: Path,
) -> None:
    with Watched(password="one", sentinel_password="two") as watched:  # noqa: S106
        passwords = {"redis_password": SecretStr("one"), "sentinel_password": SecretStr("two")}
        settings = settings_for(watched.url, tmp_path, **passwords)
        bench = Workbench(settings)
        bench.pipeline.adopt(STREAM)
        first = watched.primary
        with speaking(settings) as speaker:
            before = hear(bench, speaker, 4)
            cut_off(watched)
            hear(bench, speaker, 1)
            unknown = hear(bench, speaker, 4)
            first.kill()
            work_until(bench, lambda: watched.primary is not first)
            hear(bench, speaker, 4)
            after = hear(bench, speaker, 4)
        work_until(bench, lambda: STREAM not in bench.streams)
        with watched.client(watched.primary) as redis:
            written = column(redis, STREAM, "text")
            assert {*before, *after} <= {*written}
            assert not {*unknown} & {*written}
            assert column(redis, KEYS.transcript, "text") == written
            assert column(redis, KEYS.rejected, "notice") == ["lost"]
