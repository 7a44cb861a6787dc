"""The main job on a real server with the bundled model, one round at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from engine.restore.spelling import letters
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
    settings_for,
)
from worker.keyspace import figures, registry
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.keyspace.requests import request
from worker.pipeline import waiting_seconds
from worker.settings.config import Settings


@pytest.fixture
def settings(weir_settings: Settings, tmp_path: Path) -> Settings:
    return settings_for(weir_settings.redis_url, tmp_path)


@pytest.fixture
def bench(redis: Redis, settings: Settings) -> Workbench:
    return Workbench(settings)


def test_every_entry_comes_out_once_in_order_with_its_letters(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    ids = publish(redis, 20)
    bench.run_to_end()
    transcript = outputs(redis_text, KEYS.transcript)
    assert column(transcript, "entry") == ids
    assert transcript[-1]["end_of_stream"] == "1"
    for number, line in enumerate(transcript[:-1]):
        is_raw = number % 4 == 3
        assert letters(line["text"]) == letters(sentence(number, raw=True))
        assert ("restored" in line) == is_raw
        assert is_raw or line["text"] == sentence(number)
        assert line["speaker"] == ("Ann", "Bo", "Cy")[number % 3]


def test_summaries_tile_the_stream_and_the_last_one_is_final(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    ids = publish(redis, 30)
    bench.run_to_end()
    summaries = outputs(redis_text, KEYS.summary)
    assert len(summaries) > 4
    assert_tiled(summaries, ids[:-1])
    assert [s.get("final") for s in summaries] == [None] * (len(summaries) - 1) + ["1"]
    fed = int(outputs(redis_text, KEYS.memory)[-1]["tokens_seen"])
    prefix = len(bench.engine.tokenizer.chat_parts().prefix)
    assert sum(int(s["tokens"]) for s in summaries) == fed - prefix


def test_summaries_come_before_the_tokens_that_leave_in_blocks(
    redis: Redis, redis_text: Redis, weir_settings: Settings, tmp_path: Path
) -> None:
    half = settings_for(weir_settings.redis_url, tmp_path, num_recent=300, n_discard=-1)
    ids = publish(redis, 40)
    bench = Workbench(half)
    bench.run_to_end()  # checks the coverage after each round
    assert bench.engine.window.num_kept == 151
    assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])
    slid_out = outputs(redis_text, KEYS.memory)[-1]["tokens_slid_out"]
    assert int(slid_out) >= 150
    assert int(slid_out) % 150 == 0


def test_an_entry_longer_than_the_window_is_summarised_in_parts(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    first = redis.xadd(STREAM, {"text": "Well. " + " ".join(sentence(n) for n in range(40))})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    summaries = outputs(redis_text, KEYS.summary)
    assert len(summaries) > 4
    assert {(s["first"], s["last"]) for s in summaries} == {(first.decode(),) * 2}


def test_memory_is_level_and_equal_to_the_engine_s_formula(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    publish(redis, 20, end=False)
    bench.pipeline.adopt(STREAM)
    for _ in range(200):
        bench.now += 0.5
        bench.run(1)
    memory = outputs(redis_text, KEYS.memory)
    assert len(memory) > 5
    assert set(column(memory, "kv_bytes")) == {str(bench.engine.memory().bytes_per_row)}
    assert set(column(memory, "kv_bytes_total")) == {str(bench.engine.memory().kv_bytes_total)}
    assert memory[-1]["window_fill"] == memory[-1]["window_size"] == "160"
    last = memory[-1]
    assert int(last["tokens_seen"]) - int(last["tokens_slid_out"]) == 160


def test_the_clock_makes_a_summary_of_a_stream_that_has_gone_silent(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    publish(redis, 2, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(20)
    assert outputs(redis_text, KEYS.summary) == []
    bench.now += 61
    bench.run_until_quiet()
    assert column(outputs(redis_text, KEYS.summary), "reason") == ["seconds"]


def test_bad_entries_are_rejected_with_the_reason_and_the_stream_goes_on(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    good = redis.xadd(STREAM, {"text": "Good morning."})
    bad = [
        redis.xadd(STREAM, {"speaker": "Ann"}),
        redis.xadd(STREAM, {"text": b"\xff\xfe"}),
        redis.xadd(STREAM, {"text": "x" * 70_000}),
    ]
    also_good = redis.xadd(STREAM, {"text": "Good night.", "mood": "fine"})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    rejected = outputs(redis_text, KEYS.rejected)
    assert [r["entry_id"].encode() for r in rejected] == bad
    assert [r["reason"].split(":")[0].split(" (")[0] for r in rejected] == [
        "no text",
        "text is not UTF-8",
        "too big",
    ]
    transcript = outputs(redis_text, KEYS.transcript)
    assert [line["entry"].encode() for line in transcript[:2]] == [good, also_good]
    assert transcript[1]["mood"] == "fine"
    assert redis_text.xinfo_groups(STREAM)[0]["lag"] == 0


def test_what_was_said_before_is_left_out_with_the_reason_and_what_it_said(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    final = {"text": "Good morning all.", "segment": "7", "final": "1"}
    redis.xadd(STREAM, final)
    again = redis.xadd(STREAM, final)
    late = redis.xadd(STREAM, {"text": "good morning", "segment": "7", "final": "0"})
    redis.xadd(STREAM, {"text": "", "segment": "7", "final": "1"})  # it says nothing
    redis.xadd(STREAM, {"text": "Twice.", "id": "a1"})
    repeated = redis.xadd(STREAM, {"text": "Twice.", "id": "a1"})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    lines = outputs(redis_text, KEYS.rejected)
    assert [line["entry_id"].encode() for line in lines] == [again, late, repeated]
    assert [line["reason"].partition(":")[0] for line in lines] == ["duplicate", "late", "repeated"]
    assert [json.loads(line["raw"])["text"] for line in lines] == [
        "Good morning all.",
        "good morning",
        "Twice.",
    ]
    assert [t for t in column(outputs(redis_text, KEYS.transcript), "text") if t] == [
        "Good morning all.",
        "Twice.",
    ]


def test_metadata_that_cannot_be_read_is_passed_on_and_counted(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    redis.xadd(STREAM, {"text": "Good morning.", "start": "soon", "end": "00:01:02,500"})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    line = outputs(redis_text, KEYS.transcript)[0]
    assert (line["text"], line["input.start"], line["end"]) == ("Good morning.", "soon", "62.5")
    assert "start" not in line and not outputs(redis_text, KEYS.rejected)
    count = bench.metrics.registry.get_sample_value
    assert count("weir_entry_fields_unread_total", {"field": "start"}) == 1


def test_entries_trimmed_away_unread_are_counted_and_said(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    publish(redis, 10, end=False)
    redis.xtrim(STREAM, maxlen=4, approximate=False)
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    [notice] = outputs(redis_text, KEYS.rejected)
    assert notice["reason"] == "trimmed: 6 entries were removed before they were read"
    assert len(outputs(redis_text, KEYS.transcript)) == 5
    assert Checkpoint.load(redis, STREAM).entries_read == 11


def test_a_stream_that_was_deleted_and_made_anew_is_read_and_counted_on(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    """Its ids are later ones, as they are when the server makes them."""
    ids = publish(redis, 5, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run_until_idle()
    redis.delete(STREAM)
    ids += publish(redis, 2, end=False)
    bench.run(until=lambda: Checkpoint.load(redis, STREAM).entries_read == 2)
    [group] = redis.xinfo_groups(STREAM)
    assert (group["entries-read"], group["lag"]) == (2, 0)
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert not redis.exists(KEYS.rejected)
    [last] = [s for s in outputs(redis_text, KEYS.summary) if s.get("final")]
    assert last["last"] == ids[4], "the one that was deleted has ended"


@pytest.mark.parametrize("is_owned", [True, False])
def test_a_stream_that_was_made_anew_with_lower_ids_is_read_from_its_start(
    settings: Settings, redis: Redis, redis_text: Redis, is_owned: bool
) -> None:
    """A publisher that numbers its entries, or a server whose clock was set back."""
    bench, patterns = Workbench(settings), settings.patterns
    say = partial(redis.xadd, STREAM, {"text": "Good morning."})
    for number in (5, 6, 7):
        say(id=f"{number}-0")
    bench.pipeline.adopt(STREAM)
    bench.run_until_idle()
    if not is_owned:
        bench.pipeline.close(END_SECONDS)
    redis.delete(STREAM)
    for number in (5, 6):
        say(id=f"{number}-0")
    if not is_owned:
        assert figures.figures(redis, patterns)[0].lag_entries == 2
        assert registry.look(redis, patterns).unowned == [STREAM]
        bench = Workbench(settings)
        bench.pipeline.adopt(STREAM)
    bench.now += 3  # it is asked now and then
    bench.run(until=lambda: Checkpoint.load(redis, STREAM).entries_read == 2)
    redis.xadd(STREAM, {"end_of_stream": "1"}, id="7-0")
    bench.run(until=lambda: STREAM not in bench.streams)
    told = column(outputs(redis_text, KEYS.transcript), "entry")
    assert told == ["5-0", "6-0", "7-0", "5-0", "6-0", "7-0"]
    assert Checkpoint.load(redis, STREAM).entries_read == 3
    assert registry.look(redis, patterns).unowned == []


def test_hypotheses_become_a_transcript_that_is_never_revised(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    said = [
        ("You should", "0"),
        ("You should thank", "0"),
        ("You should think there", "0"),
        ("You should think there are many.", "1"),
        ("You should think there is one.", "1"),
    ]
    for text, final in said:
        redis.xadd(STREAM, {"text": text, "final": final, "segment": "7", "speaker": "Ann"})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run_to_end()
    *lines, _end = outputs(redis_text, KEYS.transcript)
    assert column(lines, "text") == ["You should", "think there are many."]
    assert column(lines, "final") == ["0", "1"]
    assert [line.get("continues") for line in lines] == [None, "1"]


def test_words_that_are_still_open_when_a_stream_ends_are_not_lost(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    redis.xadd(STREAM, {"text": "And then we", "final": "0", "segment": "3"})
    redis.xadd(STREAM, {"text": "And then he left", "final": "0", "segment": "3"})
    end = redis.xadd(STREAM, {"end_of_stream": "1"}).decode()
    bench.run_to_end()
    lines = outputs(redis_text, KEYS.transcript)
    assert column(lines, "text") == ["And then", "he left", ""]
    assert (lines[1]["entry"], lines[1]["segment"], lines[2]["end_of_stream"]) == (end, "3", "1")


def test_a_worker_that_is_late_does_not_take_what_is_still_said_as_it_stands(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    """It stood still, or had much else to do, while the recogniser went on: the news lies there."""
    said = ["the", "gate", "at", "carrow", "bridge", "sticks", "when", "water", "comes", "down"]
    bench.pipeline.adopt(STREAM)
    for num in range(1, len(said) + 1):
        is_last = num == len(said)
        text = " ".join([*said[:num], *([] if is_last else ["misheard"])])
        redis.xadd(STREAM, {"text": text, "segment": "1", "final": str(int(is_last))})
        if num % 3 == 0:
            bench.now += 100
            bench.run(1)
    redis.xadd(STREAM, {"end_of_stream": "1"})
    bench.run(until=lambda: is_closed(redis))
    lines = outputs(redis_text, KEYS.transcript)
    assert letters(" ".join(column(lines, "text"))).lower() == letters(" ".join(said))


def test_words_to_come_are_shown_until_they_have_come_and_end_when_nothing_follows(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    redis.xadd(STREAM, {"text": "And then we", "final": "0", "speaker": "Ann"})
    bench.pipeline.adopt(STREAM)
    bench.run(3)
    live = redis_text.hgetall(KEYS.live)
    assert (live["pending"], live["speaker"]) == ("And then we", "Ann")
    assert 0 < redis.pttl(KEYS.live) <= 30_000
    bench.now += 31
    bench.run_until_idle()
    [line] = outputs(redis_text, KEYS.transcript)
    assert (line["text"], line["speaker"], line["final"]) == ("And then we", "Ann", "1")
    assert redis_text.hget(KEYS.live, "pending") == ""


def test_a_closed_stream_that_goes_on_has_a_new_life(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    ids = publish(redis, 3)
    ids += publish(redis, 4)
    bench.run_to_end()
    assert Checkpoint.load(redis, STREAM).status == "closed"
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert sum("final" in summary for summary in outputs(redis_text, KEYS.summary)) == 2


def test_a_flush_summarises_what_came_before_it_now(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    ids = publish(redis, 2, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(10)
    request(redis, STREAM, "flush")
    bench.run_until_quiet()
    [summary] = outputs(redis_text, KEYS.summary)
    assert (summary["first"], summary["last"], summary["reason"]) == (ids[0], ids[1], "flush")


def test_a_question_is_answered_once_and_leaves_the_stream_untouched(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    publish(redis, 2, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(20)
    num_seen = bench.streams[STREAM].session.num_seen
    for _ in range(2):
        request(redis, STREAM, "ask", question="Who sticks?", id="q1")
    bench.run(until=lambda: redis.xlen(KEYS.answers) > 0)
    bench.run(10)
    [answer] = outputs(redis_text, KEYS.answers)
    assert (answer["id"], answer["question"]) == ("q1", "Who sticks?")
    assert bench.streams[STREAM].session.num_seen == num_seen


def test_a_model_that_would_invent_answers_with_what_was_said(
    redis: Redis, redis_text: Redis, settings: Settings
) -> None:
    bench = Workbench(settings.model_copy(update={"summary_style": "quotes"}))
    ids = publish(redis, 2, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(20)
    request(redis, STREAM, "ask", question="What sticks?", said="Ann: The gate.", cites=ids[0])
    bench.run(until=lambda: redis.xlen(KEYS.answers) > 0)
    [answer] = outputs(redis_text, KEYS.answers)
    assert (answer["text"], answer["cites"]) == ("Ann: The gate.", ids[0])


def test_a_rolling_prompt_is_answered_with_each_summary(
    redis: Redis, redis_text: Redis, settings: Settings
) -> None:
    bench = Workbench(settings.model_copy(update={"prompts": {"todo": "What is to be done?"}}))
    ids = publish(redis, 12)
    bench.run_to_end()
    answers = outputs(redis_text, KEYS.answers)
    assert 1 < len(answers) <= len(outputs(redis_text, KEYS.summary))
    assert answers[-1]["entry"] == ids[-1], "the last one is about the whole stream"
    assert set(column(answers, "id")) == {"todo"}


def test_close_ends_a_stream_in_order(bench: Workbench, redis: Redis, redis_text: Redis) -> None:
    ids = publish(redis, 5, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run(5)
    request(redis, STREAM, "close")
    bench.run(until=lambda: STREAM not in bench.streams)
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert outputs(redis_text, KEYS.summary)[-1]["final"] == "1"
    assert Checkpoint.load(redis, STREAM).status == "closed"


def test_streams_on_one_worker_do_not_mix(
    redis: Redis, redis_text: Redis, settings: Settings
) -> None:
    """Twelve streams in one batch, each with the words that it alone was given."""
    bench = Workbench(settings.model_copy(update={"num_rows": 20, "max_streams": 12}))
    names = [f"live:{n}" for n in range(12)]
    for n, name in enumerate(names):
        for k in range(6):
            redis.xadd(name, {"text": f"stream number {n} says {k}"})
        redis.xadd(name, {"end_of_stream": "1"})
        bench.pipeline.adopt(name)
    bench.pipeline.run_once()
    assert len(bench.streams) == 12
    bench.run(until=lambda: not bench.streams)
    for n, name in enumerate(names):
        lines = outputs(redis_text, f"weir:{{{name}}}:transcript")[:-1]
        assert [letters(line["text"]) for line in lines] == [
            f"stream number {n} says {k}" for k in range(6)
        ]


def test_a_silent_stream_is_summarised_and_gives_its_row_to_one_that_waits(
    redis: Redis, redis_text: Redis, settings: Settings
) -> None:
    bench = Workbench(settings.model_copy(update={"num_rows": 4, "max_streams": 1}))
    publish(redis, 3, "live:old", end=False)
    bench.pipeline.adopt("live:old")
    bench.run_until_idle()
    publish(redis, 1, "live:new", end=False)
    bench.pipeline.adopt("live:new")
    bench.run(3)
    assert list(bench.streams) == ["live:old"], "it has not been silent for long"
    bench.now += 4
    bench.pipeline.adopt("live:new")
    bench.run_until_quiet()
    assert column(outputs(redis_text, "weir:{live:old}:summary"), "reason")[-1] == "room"
    bench.pipeline.adopt("live:new")
    bench.run(3)
    assert list(bench.streams) == ["live:new"]
    assert Checkpoint.load(redis, "live:old").status == "parked"


def test_an_owner_whose_time_is_over_publishes_nothing(
    bench: Workbench, redis: Redis, redis_text: Redis, settings: Settings
) -> None:
    publish(redis, 3, end=False)
    bench.pipeline.adopt(STREAM)
    bench.pipeline.run_once()
    redis.delete(KEYS.lease)
    assert Leases(redis, "somebody else", lease_seconds=10).acquire(STREAM)
    num_lines = redis.xlen(KEYS.transcript)
    bench.run(until=lambda: STREAM not in bench.streams)
    assert redis.xlen(KEYS.transcript) == num_lines


def test_an_output_key_that_is_no_stream_costs_that_stream_alone(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    redis.set("weir:{live:bad}:transcript", "somebody's notes")
    publish(redis, 2, "live:bad")
    ids = publish(redis, 2)
    bench.pipeline.adopt("live:bad")
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert "live:bad" not in bench.streams


@pytest.mark.parametrize("limit", ["maxmemory", "min-replicas-to-write"])
def test_a_server_that_takes_no_writes_is_waited_for(
    bench: Workbench, redis: Redis, redis_text: Redis, limit: str
) -> None:
    """Longer than a lease: while the stream rests renewing it is refused, then commits are."""
    ids = publish(redis, 2, end=False)
    bench.pipeline.adopt(STREAM)
    bench.run_until_idle()
    bench.now += 60
    bench.run_until_quiet()
    bench.run(3)
    redis.config_set(limit, 1)
    try:
        assert bench.run_in_trouble(20) > 0
        redis.config_set(limit, 0)
        ids += publish(redis, 10)
        redis.config_set(limit, 1)
        assert bench.run_in_trouble(40) > 0
        assert STREAM in bench.streams
        assert redis.xlen(KEYS.transcript) < len(ids)
    finally:
        redis.config_set(limit, 0)
    bench.run(until=lambda: STREAM not in bench.streams)
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert_tiled(outputs(redis_text, KEYS.summary), ids[:-1])


def test_the_more_streams_rest_the_longer_they_are_waited_for_up_to_a_share_of_a_lease() -> None:
    settings = Settings(block_seconds=0.2, lease_seconds=10)
    assert [waiting_seconds(settings, num) for num in (1, 400, 1000, 9000)] == [0.2, 0.2, 0.5, 1.0]
    assert waiting_seconds(Settings(block_seconds=0.2, lease_seconds=3), 9000) == 0.3
    assert waiting_seconds(Settings(block_seconds=2, lease_seconds=10), 9000) == 2


def test_a_read_that_the_server_breaks_off_is_made_again(
    bench: Workbench, redis: Redis, redis_text: Redis
) -> None:
    bench.pipeline.adopt(STREAM)
    bench.run(2)
    done = threading.Event()

    def break_off() -> None:
        while not done.is_set():
            for client in redis.client_list():
                redis.execute_command("CLIENT", "UNBLOCK", client["id"], "ERROR")

    breaker = threading.Thread(target=break_off)
    breaker.start()
    try:
        bench.run(100)
    finally:
        done.set()
        breaker.join()
    ids = publish(redis, 2)
    bench.run(until=lambda: STREAM not in bench.streams)
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids


@pytest.mark.parametrize(
    "spoil",
    [
        lambda redis, key: redis.set(key, "no hash"),
        lambda redis, key: redis.hset(key, mapping={"num_commits": "many", "entry_id": "0-0"}),
        lambda redis, key: redis.hset(
            key, mapping=Checkpoint(num_commits=1, views={"summary": 5}).to_fields()
        ),
        lambda redis, key: redis.hset(
            key,
            mapping=Checkpoint(
                num_commits=1, views={"summary": {"covered": 2}, "transcript": {"segments": 5}}
            ).to_fields(),
        ),
    ],
)
def test_a_state_that_somebody_spoiled_costs_that_stream_alone(
    bench: Workbench,
    redis: Redis,
    redis_text: Redis,
    spoil: Callable[[Redis, str], None],
) -> None:
    spoil(redis, stream_keys("live:bad").state)
    publish(redis, 2, "live:bad")
    ids = publish(redis, 2)
    for _ in range(9):  # more often than there are rows
        bench.pipeline.adopt("live:bad")
        bench.run(1)
        redis.delete(stream_keys("live:bad").lease)
    assert bench.engine.num_free_rows == bench.engine.config.num_rows
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids


def test_a_failure_of_one_stream_is_not_everybodys(
    bench: Workbench, redis: Redis, redis_text: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the work on one stream: its session is broken behind its back."""
    publish(redis, 2, "live:bad", end=False)
    ids = publish(redis, 2)
    bench.pipeline.adopt("live:bad")
    bench.pipeline.run_once()
    bench.engine.close(bench.streams["live:bad"].session)
    publish(redis, 2, "live:bad", end=False)
    bench.run_to_end()
    assert column(outputs(redis_text, KEYS.transcript), "entry") == ids
    assert "live:bad: dropped after a failure of its own" in caplog.text
