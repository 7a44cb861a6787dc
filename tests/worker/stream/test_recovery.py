"""A worker that dies anywhere is replaced: nothing is lost, nothing is published twice."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from engine.restore.spelling import letters
from tests.worker.stream.test_standing import Rewind
from tests.worker.workbench import (
    END_SECONDS,
    KEYS,
    STREAM,
    Workbench,
    assert_tiled,
    column,
    is_closed,
    outputs,
    publish,
    sentence,
)
from worker.settings.config import Settings

SETTINGS = {"snapshot_seconds": 1.0}


def die(redis: Redis, bench: Workbench) -> None:
    """As kill -9 does: nothing is closed, nothing is saved; the lease has run out."""
    redis.delete(KEYS.lease)


def assert_exactly_once(redis_text: Redis, ids: list[str]) -> None:
    transcript = outputs(redis_text, KEYS.transcript)
    assert column(transcript, "entry") == ids
    for number, line in enumerate(transcript[:-1]):
        assert letters(line["text"]) == letters(sentence(number, raw=True))
    assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])


@settings(max_examples=8)
@given(lives=st.lists(st.integers(1, 60), max_size=4), seconds=st.sampled_from([0.0, 0.3]))
def test_deaths_at_any_round_leave_no_gap_and_no_duplicate(
    redis: Redis, redis_text: Redis, small: Settings, lives: list[int], seconds: float
) -> None:
    """`lives`: rounds that each owner has before it dies. With `seconds` a round, snapshots are
    saved now and then, so that some owners find one and some must rebuild."""
    redis.flushall()
    ids = publish(redis, 12)
    for num_rounds in lives:
        bench = Workbench(small)
        bench.pipeline.adopt(STREAM)
        for _ in range(num_rounds):
            bench.now += seconds
            bench.run(1)
        die(redis, bench)
    last = Workbench(small)
    last.pipeline.adopt(STREAM)
    last.run(until=lambda: is_closed(redis))
    assert_exactly_once(redis_text, ids)


def test_a_saved_session_goes_on_as_if_nothing_had_happened(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """The summaries, which depend on every number in the window, are those of one owner alone."""
    texts = []
    for with_handover in (False, True):
        redis.flushall()
        publish(redis, 9, end=False)
        bench = Workbench.owning(small)
        if with_handover:
            bench.pipeline.close(END_SECONDS)
            assert not bench.streams
            bench = Workbench(small)
            bench.pipeline.adopt(STREAM)
            bench.run(1)
            assert bench.streams[STREAM].session.num_pending == 0, "nothing was fed again"
        redis.xadd(STREAM, {"text": "The pump at the mill is broken.", "end_of_stream": "1"})
        bench.run(until=lambda: is_closed(redis))
        texts.append(column(outputs(redis_text, KEYS.summary), "text"))
    assert texts[0] == texts[1]


def test_a_worker_that_ends_while_busy_leaves_a_session_to_go_on_from(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    ids = publish(redis, 20)
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    bench.run(
        until=lambda: (
            # Otherwise a summary may be due before the line can be finished, and nothing is saved.
            redis.xlen(KEYS.transcript) >= 7 and bench.streams[STREAM].feed.is_between_lines
        )
    )
    bench.pipeline.close(END_SECONDS)
    assert redis.hget(KEYS.state, "snapshot") != b""
    Workbench(small).run_to_end()
    assert_exactly_once(redis_text, ids)


def test_a_server_that_comes_back_with_an_older_state_is_believed(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """As after a power cut with `appendfsync everysec`: the last commits are gone, all of each."""
    ids = publish(redis, 12)
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    bench.run(until=lambda: redis.xlen(KEYS.transcript) >= 3)
    older = Rewind(redis)
    bench.run(until=lambda: redis.xlen(KEYS.transcript) >= 7)
    older.back()
    knew_better = bench.streams[STREAM]
    bench.run(until=lambda: bench.streams.get(STREAM) is not knew_better)
    bench.run(until=lambda: is_closed(redis))
    assert_exactly_once(redis_text, ids)


@pytest.mark.parametrize("end", [True, False])
def test_a_message_to_adopt_that_comes_late_opens_nothing(
    redis: Redis, small: Settings, end: bool
) -> None:
    publish(redis, 3, end=end)
    bench = Workbench.owning(small)
    bench.now += 60
    bench.run_until_quiet()
    bench.pipeline.close(END_SECONDS)
    status = redis.hget(KEYS.state, "status")
    assert status == (b"closed" if end else b"parked")
    bench.pipeline.adopt(STREAM)
    bench.run(3)
    assert not bench.streams
    assert redis.hget(KEYS.state, "status") == status
    assert bench.engine.num_free_rows == bench.engine.config.num_rows


def test_a_torn_snapshot_costs_a_rebuild_and_nothing_else(
    redis: Redis, redis_text: Redis, small: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ids = publish(redis, 8, end=False)
    bench = Workbench.owning(small)
    bench.pipeline.close(END_SECONDS)
    [snapshot] = small.snapshot_dir.glob("*.safetensors")
    snapshot.write_bytes(snapshot.read_bytes()[:-100])
    ids.append(redis.xadd(STREAM, {"end_of_stream": "1"}).decode())
    Workbench(small).run_to_end()
    assert "rebuilt from its transcript" in caplog.text
    assert_exactly_once(redis_text, ids)


@pytest.mark.parametrize("num_kept", [0, 1])
@pytest.mark.parametrize("has_snapshot", [True, False])
def test_a_transcript_that_somebody_cleared_is_gone_on_with(
    redis: Redis,
    redis_text: Redis,
    small: Settings,
    caplog: pytest.LogCaptureFixture,
    num_kept: int,
    has_snapshot: bool,
) -> None:
    """Between two owners, while a summary of what it said was still owed."""
    publish(redis, 4, end=False)
    first = Workbench.owning(small)
    if has_snapshot:
        first.pipeline.close(END_SECONDS)
    die(redis, first)
    redis.xtrim(KEYS.transcript, maxlen=num_kept, approximate=False)
    ids = publish(redis, 4)
    Workbench(small).run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry")[num_kept:] == ids
    assert outputs(redis_text, KEYS.summary)[-1]["last"] == ids[-2]
    assert "tokens were trimmed unsummarised" in caplog.text
    assert "dropped" not in caplog.text


def test_a_rebuilt_window_holds_the_same_tokens_at_the_same_places(
    redis: Redis, small: Settings
) -> None:
    publish(redis, 20, end=False)
    bench = Workbench.owning(small)
    before = bench.streams[STREAM]
    die(redis, bench)
    for path in small.snapshot_dir.glob("*"):
        path.unlink()
    other = Workbench.owning(small)
    after = other.streams[STREAM]
    assert after.session.num_seen == before.session.num_seen
    assert after.session.window_fill == before.session.window_fill
    assert after.outbox.checkpoint.views == before.outbox.checkpoint.views


def test_a_take_over_that_fails_gives_its_row_back(redis: Redis, small: Settings) -> None:
    """The server goes away between the snapshot and the transcript."""
    publish(redis, 6, end=False)
    first = Workbench.owning(small)
    first.pipeline.close(END_SECONDS)
    bench = Workbench(small)
    redis.rename(KEYS.transcript, "kept")
    redis.set(KEYS.transcript, "no stream")
    for _ in range(bench.engine.config.num_rows + 1):
        bench.pipeline.adopt(STREAM)
        bench.run(1)
        redis.delete(KEYS.lease)
    assert bench.engine.num_free_rows == bench.engine.config.num_rows
    redis.rename("kept", KEYS.transcript)
    bench.pipeline.adopt(STREAM)
    bench.run(1)
    assert STREAM in bench.streams


def test_lines_that_others_wrote_into_a_transcript_are_passed_over(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    publish(redis, 6, end=False)
    first = Workbench.owning(small)
    num_seen = first.streams[STREAM].session.num_seen
    die(redis, first)
    redis.xadd(KEYS.transcript, {"note": "by hand"})
    bench = Workbench.owning(small)
    assert bench.streams[STREAM].session.num_seen == num_seen


def test_snapshots_of_a_stream_that_has_ended_are_removed(redis: Redis, small: Settings) -> None:
    publish(redis, 40)
    bench = Workbench(small)
    bench.pipeline.adopt(STREAM)
    num_saved = 0
    while redis.hget(KEYS.state, "status") != b"closed":
        bench.now += 5
        bench.run(1)
        num_saved = max(num_saved, len(list(small.snapshot_dir.glob("*.safetensors"))))
    assert num_saved in (1, 2), "the old one goes when the new one is committed"
    assert list(small.snapshot_dir.glob("*.safetensors")) == []


def test_half_a_snapshot_of_an_owner_that_was_killed_is_removed_by_the_next(
    redis: Redis, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_file: int) -> None:
        raise SystemExit

    publish(redis, 6, end=False)
    first = Workbench.owning(small)
    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(SystemExit):
        first.pipeline.close(END_SECONDS)
    monkeypatch.undo()
    [draft] = small.snapshot_dir.iterdir()
    of_another = draft.with_name(f".0{draft.name}")
    of_another.touch()
    die(redis, first)
    second = Workbench.owning(small)
    second.pipeline.close(END_SECONDS)
    assert not draft.exists()
    assert of_another.exists()
