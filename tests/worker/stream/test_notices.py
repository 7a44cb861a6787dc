"""What is missing is told in the end, once, whatever else happens: no room for the stream, no
answer from the server, a stream that rests. The oracle is `:rejected`, and the transcript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.worker.stream.test_standing import Rewind, assert_told_once
from tests.worker.workbench import (
    END_SECONDS,
    KEYS,
    STREAM,
    HeldRestorer,
    Workbench,
    assert_tiled,
    column,
    is_closed,
    outputs,
    publish,
    sentence,
)
from worker.keyspace.committer import Committer
from worker.keyspace.lease import Leases
from worker.settings.config import Settings

OTHER = "live:other"
SETTINGS = {"max_streams": 1}


class Owner:
    """Of STREAM, with an entry that it has read and cannot write yet."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.restorer = HeldRestorer()
        self.ids = publish(redis, 4, end=False)
        self.bench = Workbench.owning(settings, restorer=self.restorer)

    def read_and_lose_one(self, redis: Redis) -> str:
        """The server forgets it; its id."""
        before = Rewind(redis)
        self.restorer.is_held = True
        lost: str = redis.xadd(STREAM, {"text": sentence(99, raw=True)}).decode()
        self.bench.pipeline.adopt(STREAM)  # if it was parked
        self.bench.run(5)
        before.back()
        self.restorer.is_held = False
        return lost

    def run_until(self, redis: Redis, is_so: Callable[[], bool]) -> None:
        """Time passes; a server that does not answer is asked again."""
        for _ in range(400):
            if is_so():
                return
            self.bench.run_in_trouble(1)
        raise AssertionError("it does not come")


def fail_once(
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    *,
    afterwards: bool = False,
    which: Callable[..., bool] = lambda *_: True,
) -> list[str]:
    """The next call of those is not answered; afterwards: it is carried out, and the answer is
    lost. What is returned is empty until then."""
    original, failed = getattr(owner, name), []

    def call(*args: Any, **options: Any) -> Any:
        if failed or not which(*args):
            return original(*args, **options)
        failed.append(name)
        if afterwards:
            original(*args, **options)
        raise RedisTimeoutError("no answer")

    monkeypatch.setattr(owner, name, call)
    return failed


def is_of_notice(_committer: Committer, *commit: Any) -> bool:
    return any("notice" in output.fields for output in commit[-1])


def told(redis_text: Redis) -> list[dict[str, str]]:
    return outputs(redis_text, KEYS.rejected)


def test_a_stream_that_finds_no_room_any_more_tells_what_is_missing_all_the_same(
    redis: Redis, redis_text: Redis, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it could not be taken up again another has taken its place."""
    owner = Owner(redis, small)
    lost = owner.read_and_lose_one(redis)
    fail_once(monkeypatch, Leases, "acquire")
    owner.run_until(redis, lambda: not owner.bench.streams)
    publish(redis, 2, OTHER, end=False)
    owner.bench.pipeline.adopt(OTHER)
    owner.run_until(redis, lambda: bool(told(redis_text)))
    assert set(owner.bench.streams) == {OTHER}
    [notice] = told(redis_text)
    assert (notice["notice"], notice["entry_id"]) == ("lost", owner.ids[-1])
    assert f"lost 1 entries that had been read (up to {lost})" in notice["reason"]
    owner.bench.pipeline.close(END_SECONDS)
    ids = owner.ids + publish(redis, 3)
    bench = Workbench(small)
    bench.run_to_end()
    assert_told_once(redis_text, ids)
    assert len(told(redis_text)) == 1


@pytest.mark.parametrize("afterwards", [False, True])
def test_a_notice_whose_commit_is_not_answered_is_told_once(
    redis: Redis,
    redis_text: Redis,
    small: Settings,
    monkeypatch: pytest.MonkeyPatch,
    afterwards: bool,
) -> None:
    owner = Owner(redis, small)
    owner.read_and_lose_one(redis)
    ids = owner.ids + publish(redis, 3)
    failed = fail_once(monkeypatch, Committer, "commit", afterwards=afterwards, which=is_of_notice)
    owner.run_until(redis, lambda: is_closed(redis))
    assert failed
    assert_told_once(redis_text, ids)
    assert column(told(redis_text), "notice") == ["lost"]


def test_what_is_missing_of_a_stream_that_rests_again_is_told(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """It was parked, somebody wrote, and the server has forgotten that: there is nothing to do."""
    owner = Owner(redis, small)
    owner.bench.now += 60
    owner.bench.run_until_quiet()
    owner.bench.pipeline.release(STREAM)
    owner.run_until(redis, lambda: not owner.bench.streams)
    assert redis.hget(KEYS.state, "status") == b"parked"
    owner.read_and_lose_one(redis)
    owner.run_until(redis, lambda: not owner.bench.streams)
    assert column(told(redis_text), "notice") == ["lost"]


def test_what_was_deleted_with_its_stream_is_told_without_room_and_both_lives_are_whole(
    redis: Redis, redis_text: Redis, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner(redis, small)
    owner.restorer.is_held = True
    publish(redis, 120, end=False)
    owner.bench.run(20)
    redis.delete(STREAM)
    new = publish(redis, 3)
    owner.restorer.is_held = False
    fail_once(monkeypatch, Leases, "acquire")
    owner.run_until(redis, lambda: not owner.bench.streams)
    publish(redis, 2, OTHER, end=False)
    owner.bench.pipeline.adopt(OTHER)
    owner.run_until(redis, lambda: bool(told(redis_text)))
    assert set(owner.bench.streams) == {OTHER}
    owner.bench.pipeline.close(END_SECONDS)
    last = Workbench(small)
    for _ in range(2):  # what was said before ends, then comes what is said now
        last.pipeline.adopt(STREAM)
        last.run(3)
        last.run(until=lambda: STREAM not in last.streams)
    assert is_closed(redis)
    assert column(told(redis_text), "notice") == ["deleted"]
    lines = outputs(redis_text, KEYS.transcript)
    assert column(lines[-len(new) :], "entry") == new
    summaries = outputs(redis_text, KEYS.summary)
    ends = [at for at, summary in enumerate(summaries) if summary.get("final")]
    assert len(ends) == 2
    assert_tiled(summaries[ends[0] + 1 :], new[:-1])
