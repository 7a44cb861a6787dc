"""What was read, held against what the server has after it lost something, or somebody deleted it.

The oracle is what the input holds at last: each of its entries once, in order, every letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from engine.restore.spelling import letters
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
    settings_for,
)
from worker.keyspace import figures, registry
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.embedded import EmbeddedServer
from worker.settings.config import Settings


@pytest.fixture
def durable() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(durable=True) as server:
        yield server


def assert_told_once(redis_text: Redis, ids: list[str]) -> None:
    """`ids`: of entries that `publish` made, the end among them, one life after the other."""
    lines = outputs(redis_text, KEYS.transcript)
    assert column(lines, "entry") == ids
    said = dict(redis_text.xrange(STREAM))
    for line in lines:
        text = said[line["entry"]].get("text", "")
        assert letters(line["text"]).lower() == letters(text).lower()


class Rewind:
    """All keys of a server as they are now, to be put back as they were: prefix of its history."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._dumps = {key: redis.dump(key) for key in redis.keys("*")}

    def back(self) -> None:
        self._redis.flushall()
        for key, dump in self._dumps.items():
            self._redis.restore(key, 10_000 if key.endswith(b":lease") else 0, dump)


# ---- the server has lost its last writes


def test_a_lost_tail_is_not_taken_for_another_stream(
    tmp_path: Path, durable: EmbeddedServer
) -> None:
    """A power cut takes the last entry while its owner, who lives on, is still writing it."""
    restorer = HeldRestorer()
    bench = Workbench(settings_for(durable.url, tmp_path), restorer=restorer)
    with (
        Redis.from_url(durable.url, protocol=2) as redis,
        Redis.from_url(durable.url, protocol=2, decode_responses=True) as redis_text,
    ):
        ids = publish(redis, 12, end=False)
        bench.pipeline.adopt(STREAM)
        bench.run_until_idle()
        assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
        [log] = [
            path
            for path in Path(redis_text.config_get("dir")["dir"]).glob("appendonlydir/*.aof")
            if "incr" in path.name
        ]
        num_bytes = log.stat().st_size
        restorer.is_held = True
        lost = redis.xadd(STREAM, {"text": sentence(99, raw=True)}).decode()
        bench.run(5)
        durable.kill()
        with log.open("r+b") as file:
            file.truncate(num_bytes)
        durable.start()
        assert column(redis_text.xrange(STREAM), 0) == ids  # type: ignore[arg-type]
        restorer.is_held = False
        bench.run(60)
        bench.now += 3
        bench.run(60)
        assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
        [notice] = outputs(redis_text, KEYS.rejected)
        assert (notice["notice"], notice["entry_id"]) == ("lost", ids[-1])
        assert f"lost 1 entries that had been read (up to {lost})" in notice["reason"]
        ids += publish(redis, 3)
        bench.run(until=lambda: is_closed(redis))
        assert_told_once(redis_text, ids)
        assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])
        assert redis.xlen(KEYS.rejected) == 1


def test_a_lost_entry_is_not_told_although_another_has_come_before_its_owner_noticed(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    restorer = HeldRestorer()
    ids = publish(redis, 4, end=False)
    bench = Workbench.owning(small, restorer=restorer)
    before = Rewind(redis)
    restorer.is_held = True
    redis.xadd(STREAM, {"text": sentence(99, raw=True)})
    bench.run(5)
    before.back()
    ids += publish(redis, 3)
    restorer.is_held = False
    bench.run(60)
    bench.now += 30
    bench.run(until=lambda: is_closed(redis))
    assert_told_once(redis_text, ids)
    [notice] = outputs(redis_text, KEYS.rejected)
    assert notice["notice"] == "lost"


@pytest.mark.parametrize("is_read_on", [True, False])
def test_commits_that_the_server_lost_are_made_again_although_nothing_new_comes(
    redis: Redis, redis_text: Redis, small: Settings, is_read_on: bool
) -> None:
    """An older copy in which all entries are there, and the last commits are not."""
    bench = Workbench(small)
    ids = publish(redis, 12, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(until=lambda: redis.xlen(KEYS.transcript) >= 4)
    older = Rewind(redis)
    bench.run(until=lambda: redis.xlen(KEYS.transcript) == 12)
    if not is_read_on:
        bench.run_until_idle()
    older.back()
    for _ in range(40):
        bench.now += small.lease_seconds / 30
        bench.run(1)
    bench.run_until_idle()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    ids.append(redis.xadd(STREAM, {"end_of_stream": "1"}).decode())
    bench.run(until=lambda: is_closed(redis))
    assert_told_once(redis_text, ids)
    assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])
    assert not redis.exists(KEYS.rejected), "nothing was lost that was said"


def test_an_input_that_is_shorter_than_its_checkpoint_is_gone_on_with_and_that_is_said(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """Its key was put back from an older copy, and the others were not. Nobody owned it."""
    ids = publish(redis, 3, end=False)
    first = Workbench.owning(small)
    older = redis.dump(STREAM)
    ids += publish(redis, 2, end=False)
    first.run_until_idle()
    redis.delete(KEYS.lease)
    redis.restore(STREAM, 0, older, replace=True)
    bench = Workbench.owning(small)
    ids += publish(redis, 2)
    bench.run(until=lambda: is_closed(redis))
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert column(outputs(redis_text, KEYS.rejected), "notice") == ["lost"]


# ---- somebody has deleted the input, and another has its name


@pytest.mark.parametrize("is_owned", [True, False])
@pytest.mark.parametrize("ids_of_the_next", [("5-0", "6-0", "7-0"), ("6-0", "7-0", "8-0")])
def test_a_stream_made_anew_with_the_same_or_higher_ids_begins_clean(
    redis: Redis,
    redis_text: Redis,
    small: Settings,
    is_owned: bool,
    ids_of_the_next: tuple[str, ...],
) -> None:
    bench = Workbench(small)
    for number in (5, 6, 7):
        half = {"text": "And then we", "final": "0", "segment": "1"}
        redis.xadd(STREAM, {"text": f"Number {number}."} if number < 7 else half, id=f"{number}-0")
    bench.pipeline.adopt(STREAM)
    bench.run_until_idle()
    if not is_owned:
        bench.pipeline.close(END_SECONDS)
        bench = Workbench(small)
    redis.delete(STREAM)
    first, second, third = ids_of_the_next
    redis.xadd(STREAM, {"text": "And then we met.", "segment": "1"}, id=first)
    redis.xadd(STREAM, {"text": "Again."}, id=second)
    assert registry.look(redis, small.patterns).unowned == ([] if is_owned else [STREAM])
    bench.pipeline.adopt(STREAM)
    bench.now += 3
    bench.run(until=lambda: Checkpoint.load(redis, STREAM).entry_id == second)
    redis.xadd(STREAM, {"end_of_stream": "1"}, id=third)
    bench.run(until=lambda: is_closed(redis) and STREAM not in bench.streams)
    lines = outputs(redis_text, KEYS.transcript)
    new = lines[-3:]
    assert column(new, "text") == ["And then we met.", "Again.", ""]
    assert column(new, "entry") == list(ids_of_the_next)
    assert column(lines[:2], "text") == ["Number 5.", "Number 6."]
    finals = [s for s in outputs(redis_text, KEYS.summary) if s.get("final")]
    assert [(s["first"], s["last"]) for s in finals] == [
        ("5-0", lines[len(lines) - 4]["entry"]),
        (first, second),
    ]
    assert registry.look(redis, small.patterns).unowned == []


def test_entries_that_were_deleted_with_their_stream_are_told_or_counted(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """While nothing can be written a few words wait with the stream, and the rest unread."""
    restorer = HeldRestorer(is_held=True)
    bench = Workbench(small, restorer=restorer)
    old = publish(redis, 120, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(20)
    redis.delete(STREAM)
    ids = publish(redis, 3)
    restorer.is_held = False
    bench.now += 3
    bench.run(until=lambda: is_closed(redis) and STREAM not in bench.streams)
    told = list(dict.fromkeys(column(outputs(redis_text, KEYS.transcript), "entry")))
    num_told = len(told) - len(ids)
    assert told == [*old[:num_told], *ids]
    [notice] = outputs(redis_text, KEYS.rejected)
    assert notice["notice"] == "deleted"
    assert 0 < num_told < len(old)
    assert f"{len(old) - num_told} entries were deleted with their stream" in notice["reason"]


def test_a_stream_that_is_asked_about_before_it_is_there_is_read_when_it_comes(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    bench.run(3)
    ids = publish(redis, 3)
    bench.run(until=lambda: is_closed(redis))
    assert_told_once(redis_text, ids)


def test_an_owner_whose_server_has_lost_everything_makes_nothing_of_it(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    publish(redis, 3, end=False)
    bench = Workbench.owning(small)
    redis.flushall()
    for _ in range(40):
        bench.now += small.lease_seconds / 30
        bench.run(1)
    assert not bench.streams
    assert registry.look(redis, small.patterns).unowned == []
    ids = publish(redis, 3)
    bench.run_to_end()
    assert_told_once(redis_text, ids)


def test_a_stream_of_an_earlier_version_goes_on(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """Its checkpoint knows no mark and no owner, and its group has another name."""
    ids = publish(redis, 3, end=False)
    Workbench.owning(small)
    redis.delete(KEYS.lease)
    redis.hdel(KEYS.state, "input", "owner")
    for group in redis.xinfo_groups(STREAM):
        redis.xgroup_destroy(STREAM, group["name"])
    redis.xgroup_create(STREAM, "weir", ids[-1])
    assert figures.figures(redis, small.patterns)[0].lag_entries == 0
    ids += publish(redis, 3)
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    bench.run(until=lambda: is_closed(redis))
    assert_told_once(redis_text, ids)
