"""More streams than rows: all of them come out whole, and what parking loses costs a rebuild."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis import Redis

from engine import StepReport
from engine.parking import snapshot
from engine.restore.spelling import letters
from tests.worker.workbench import (
    END_SECONDS,
    Workbench,
    assert_tiled,
    column,
    outputs,
    publish,
    sentence,
    settings_for,
)
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.settings.config import Settings

NAMES = [f"live:{number}" for number in range(6)]


@pytest.fixture
def crowded(weir_settings: Settings, tmp_path: Path) -> Settings:
    """Three rows, one of them for answers, and no host memory: whoever is parked goes to disk."""
    folders = {"park_dir": tmp_path / "parked", "park_host_bytes": 0}
    return settings_for(weir_settings.redis_url, tmp_path / "saved", num_rows=3, **folders)


def adopt_all(bench: Workbench, names: Iterable[str] = NAMES) -> None:
    for name in names:
        bench.pipeline.adopt(name)
    bench.run(1)


def run_until_closed(bench: Workbench, *names: str) -> None:
    """All of `names`; without any, every stream there is."""
    bench.run(until=lambda: not (set(names or NAMES) & set(bench.streams)))


def assert_whole(redis_text: Redis, ids: dict[str, list[str]]) -> None:
    """Every entry of every stream once, in order, with its letters; its summaries tile it."""
    for name, expected in ids.items():
        transcript = outputs(redis_text, stream_keys(name).transcript)
        assert column(transcript, "entry") == expected, name
        for number, line in enumerate(transcript[:-1]):
            assert letters(line["text"]) == letters(sentence(number, raw=True))
        assert_tiled(outputs(redis_text, stream_keys(name).summary), expected[:-1])


def end_all(redis: Redis, ids: dict[str, list[str]]) -> None:
    """The last entry of each stream; `ids` follow."""
    for name, published in ids.items():
        published.append(redis.xadd(name, {"end_of_stream": "1"}).decode())


def at_rest(redis: Redis, settings: Settings, num_streams: int) -> Workbench:
    """A worker whose streams have said a word each and are live."""
    names = [f"live:{number}" for number in range(num_streams)]
    for name in names:
        publish(redis, 1, name, end=False)
    bench = Workbench(settings)
    adopt_all(bench, names)
    bench.run_until_idle()
    return bench


def parked_files(settings: Settings) -> list[Path]:
    return sorted(settings.park_dir.rglob("*.safetensors"))


def test_six_streams_on_three_rows_come_out_whole(
    redis: Redis, redis_text: Redis, crowded: Settings
) -> None:
    ids = {name: publish(redis, 6, name) for name in NAMES}
    bench = Workbench(crowded)
    adopt_all(bench)
    assert len(bench.streams) == len(NAMES)
    run_until_closed(bench)
    assert_whole(redis_text, ids)
    memory = bench.engine.memory()
    assert (memory.parked_in_host, memory.parked_on_disk) == (0, 0)
    assert parked_files(crowded) == []


def test_summaries_are_those_of_a_row_each(
    redis: Redis, redis_text: Redis, crowded: Settings
) -> None:
    """They depend on every number in the window, and so on how well it was kept."""
    texts = []
    for num_rows in (3, 16):
        redis.flushall()
        bench = Workbench(crowded.model_copy(update={"num_rows": num_rows}))
        for name in NAMES:  # one after the other, so that both compute the same steps
            publish(redis, 4, name, end=False)
            adopt_all(bench, [name])
            bench.run_until_idle()
        for name in NAMES:
            publish(redis, 3, name)
            run_until_closed(bench, name)
        texts.append(
            {n: column(outputs(redis_text, stream_keys(n).summary), "text") for n in NAMES}
        )
    assert texts[0] == texts[1]


@examples(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_entries_that_come_at_any_time_come_out_once_and_in_order(
    redis: Redis, redis_text: Redis, crowded: Settings, seed: int
) -> None:
    redis.flushall()
    chance = random.Random(seed)
    bench = Workbench(crowded.model_copy(update={"park_host_bytes": chance.choice([0, 10**6])}))
    numbers = dict.fromkeys(NAMES, 0)
    ids: dict[str, list[str]] = {name: [] for name in NAMES}
    adopt_all(bench)
    for _ in range(24):
        name = chance.choice(NAMES)
        text = sentence(numbers[name], raw=chance.random() < 0.3)
        ids[name].append(redis.xadd(name, {"text": text, "speaker": "Ann"}).decode())
        numbers[name] += 1
        bench.now += chance.choice([0.0, 0.1, 5.0, 40.0])
        bench.run(chance.randrange(4))
    end_all(redis, ids)
    adopt_all(bench)
    run_until_closed(bench)
    for name in NAMES:
        transcript = outputs(redis_text, stream_keys(name).transcript)
        assert column(transcript, "entry") == ids[name]
        assert [letters(line["text"]) for line in transcript[:-1]] == [
            letters(sentence(number, raw=True)) for number in range(numbers[name])
        ]


def test_torn_files_cost_rebuilds_and_nothing_else(
    redis: Redis, redis_text: Redis, crowded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Every tenth round all that is parked is torn, copies that wait to decode included."""
    ids = {name: publish(redis, 6, name) for name in NAMES}
    bench = Workbench(crowded)
    adopt_all(bench)
    num_rounds = 0
    while bench.streams:
        bench.run(1)
        num_rounds += 1
        assert num_rounds < 3000
        if num_rounds % 10 == 0:
            for path in parked_files(crowded):
                path.write_bytes(path.read_bytes()[:-50])
    assert_whole(redis_text, ids)
    assert "its parked session is lost: " in caplog.text
    assert lost(bench, "not_fetched") > 3


def lost(bench: Workbench, reason: str) -> float:
    value = bench.metrics.registry.get_sample_value("weir_sessions_lost_total", {"reason": reason})
    assert value is not None
    return value


def status(redis: Redis, name: str) -> str:
    return Checkpoint.load(redis, name).status


def disk_without_room(path: Path, content: bytes, *, is_durable: bool) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_costs_rebuilds_and_nothing_else(
    redis: Redis,
    redis_text: Redis,
    crowded: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = {name: publish(redis, 6, name) for name in NAMES}
    bench = Workbench(crowded.model_copy(update={"park_host_bytes": 40_000}))
    adopt_all(bench)
    bench.run(5)
    monkeypatch.setattr(snapshot, "_write_atomically", disk_without_room)
    bench.run(until=lambda: lost(bench, "not_stored") > 0)
    assert 0 < len(bench.streams) < len(NAMES), "what fits into memory goes on"
    num_asked = 0
    while waiting := [name for name in NAMES if status(redis, name) != "closed"]:
        bench.now += 4  # a reconciler asks again and again
        adopt_all(bench, [n for n in waiting if n not in bench.streams])
        bench.run(60)
        num_asked += 1
        assert num_asked < 100
    assert_whole(redis_text, ids)
    assert "No space left on device" in caplog.text


def test_a_stream_that_owes_nothing_waits_in_redis_when_its_session_is_lost(
    redis: Redis, redis_text: Redis, crowded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {name: publish(redis, 4, name, end=False) for name in NAMES}
    bench = Workbench(crowded.model_copy(update={"park_host_bytes": 10**8}))
    adopt_all(bench)
    bench.run_until_idle()
    bench.now += 60
    bench.run_until_quiet()
    monkeypatch.setattr(snapshot, "_write_atomically", disk_without_room)
    bench.engine._copies._max_host_bytes = 0
    parked = [name for name in NAMES if bench.streams[name].session.assigned_row is None][:3]
    for name in parked:
        ids[name] += publish(redis, 1, name, end=False)
    bench.run_until_idle()
    resting = [name for name in NAMES if name not in (*parked, *bench.streams)]
    assert len(resting) > 1
    for name in resting:
        assert status(redis, name) == "parked"
        assert not redis.exists(stream_keys(name).lease)
    monkeypatch.undo()
    end_all(redis, ids)
    while any(status(redis, name) != "closed" for name in NAMES):
        bench.now += 6
        adopt_all(bench)
        bench.run(30)
    for name in NAMES:
        assert column(outputs(redis_text, stream_keys(name).transcript), "entry") == ids[name]


def test_streams_that_rest_are_looked_at_now_and_then_and_their_leases_kept(
    redis: Redis, crowded: Settings
) -> None:
    """Of a hundred; the clock of the leases is the server's own."""
    bench = at_rest(redis, crowded, num_streams=100)
    names = list(bench.streams)
    attention = bench.pipeline.owned.rounds
    assert len(attention.to_look_at(bench.now)) < 50
    before = {name: redis.pttl(stream_keys(name).lease) for name in names}
    bench.now += 3.4
    bench.run(2)
    after = {name: redis.pttl(stream_keys(name).lease) for name in names}
    assert all(after[name] >= before[name] for name in names), "all leases were renewed"
    redis.xadd(names[-1], {"text": "Good morning.", "end_of_stream": "1"})
    bench.run(until=lambda: names[-1] not in bench.streams)


def test_streams_are_taken_up_for_as_long_as_a_round_takes_and_not_one_a_round(
    redis: Redis, crowded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker so busy that a step takes 1.4 s, and to take a stream up 0.06 s."""
    bench = Workbench(crowded)
    step, adopt = bench.engine.step, bench.pipeline.owned.adopt
    num_adopted_in_round: list[int] = [0]

    def slow_step() -> StepReport:
        bench.now += 1.4
        num_adopted_in_round.append(0)
        return step()

    def slow_adopt(name: str) -> None:
        bench.now += 0.06
        num_adopted_in_round[-1] += 1
        adopt(name)

    monkeypatch.setattr(bench.engine, "step", slow_step)
    monkeypatch.setattr(bench.pipeline.owned, "adopt", slow_adopt)
    names = [f"live:{number}" for number in range(40)]
    bench.run(1)
    for name in names:
        redis.xadd(name, {"text": "Good morning."})
        bench.pipeline.adopt(name)
    bench.run(3)
    assert len(bench.streams) == 40
    assert num_adopted_in_round[1] < 40, "those that are here have their share of the time"
    for name in names:
        assert Checkpoint.load(redis, name).num_commits > 0


def test_a_stream_that_was_taken_over_while_it_rested_is_dropped(
    redis: Redis, crowded: Settings
) -> None:
    bench = at_rest(redis, crowded, num_streams=40)
    names = list(bench.streams)
    redis.delete(stream_keys(names[7]).lease)
    assert Leases(redis, "somebody else", lease_seconds=10).acquire(names[7])
    bench.now += 4
    bench.run(2)
    assert set(bench.streams) == set(names) - {names[7]}


def test_a_closing_worker_leaves_all_its_streams_to_the_next(
    redis: Redis, redis_text: Redis, crowded: Settings
) -> None:
    """Those that are parked are saved as well: the next owner feeds nothing again."""
    ids = {name: publish(redis, 4, name, end=False) for name in NAMES}
    first = Workbench(crowded)
    adopt_all(first)
    first.run_until_idle()
    first.pipeline.close(END_SECONDS)
    assert len(list(crowded.snapshot_dir.glob("*.safetensors"))) == len(NAMES)
    second = Workbench(crowded)
    adopt_all(second)
    assert all(stream.session.num_pending == 0 for stream in second.streams.values())
    end_all(redis, ids)
    run_until_closed(second)
    assert_whole(redis_text, ids)
