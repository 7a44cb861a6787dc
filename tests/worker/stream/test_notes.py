"""Notes of a stream: each cites what was said, and whoever owns the stream goes on with them.

The oracle is the talk: what each entry says, and who says it.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.worker.workbench import (
    KEYS,
    STREAM,
    Workbench,
    column,
    is_closed,
    outputs,
)
from worker.formats.noted import Note, present
from worker.intake.entries import id_order
from worker.settings.config import Settings

TALK = [
    ("Ann", "The gate at Carrow Bridge sticks when the water comes down from Ashby."),
    ("Bo", "I'll bring the chain hoist to the weir on Friday morning."),
    ("Ann", "Who has the key to the barrier at the underpass?"),
    ("Bo", "I don't know, but somebody must."),
    ("Cy", "We've decided to open the second gate at two metres eighty."),
    ("Ann", "The pumps at the mill need sixty litres of diesel a day, each of the three."),
    ("Cy", "Somebody painted the lock house green last week, it looks quite well."),
    ("Bo", "The school hall takes a hundred and fifty people for a night."),
    ("Cy", "The key to the barrier hangs in the lock house."),
    ("Ann", "Fog comes up from the meadows in the evening, and nobody sees the gauge."),
]

SETTINGS = {"restore": "off", "snapshot_seconds": 1.0}


def publish_talk(redis: Redis) -> dict[str, tuple[str, str]]:
    """Entry id -> (speaker, text)."""
    said = {
        redis.xadd(STREAM, {"text": text, "speaker": speaker}).decode(): (speaker, text)
        for speaker, text in TALK
    }
    redis.xadd(STREAM, {"end_of_stream": "1"})
    return said


def assert_cited(changes: list[dict[str, str]], said: dict[str, tuple[str, str]]) -> None:
    """Every citation is an entry that some step up to this change saw, and the first ones say the
    words of the item."""
    seen_until = "0-0"
    for change in changes:
        seen_until = max(seen_until, change["last"], key=id_order)
        note = Note.of(change)
        assert note.cites
        for entry in note.cites:
            assert entry in said
            assert id_order(entry) <= id_order(seen_until)
        assert said[note.cites[0]] == (note.who, note.text)


def test_notes_come_with_the_summaries_and_cite_what_was_said(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    said = publish_talk(redis)
    bench = Workbench(small)
    bench.run_to_end()
    changes = outputs(redis_text, KEYS.notes)
    assert_cited(changes, said)
    summaries = outputs(redis_text, KEYS.summary)
    assert {change["last"] for change in changes} <= set(column(summaries, "last"))
    notes = {note.text: note for note in present(changes)}
    assert notes[TALK[1][1]].kind == "action"
    assert notes[TALK[1][1]].due == "on Friday morning"
    assert notes[TALK[4][1]].kind == "decision"
    question = notes[TALK[2][1]]
    assert (question.kind, question.status) == ("question", "resolved")
    assert said[question.cites[-1]] == TALK[8]
    num_noted = bench.metrics.registry.get_sample_value("weir_notes_total", {"change": "add"})
    assert num_noted == len(notes)


@settings(max_examples=8)
@given(lives=st.lists(st.integers(1, 40), max_size=4))
def test_owners_that_die_at_any_round_leave_the_notes_of_one_that_lived(
    redis: Redis, redis_text: Redis, small: Settings, lives: list[int]
) -> None:
    """Steps may fall elsewhere; each change is there once, and items go on where they were."""
    redis.flushall()
    said = publish_talk(redis)
    for num_rounds in lives:
        bench = Workbench(small)
        bench.pipeline.adopt(STREAM)
        bench.run(num_rounds, until=lambda: is_closed(redis))
        redis.delete(KEYS.lease)
    last = Workbench(small)
    last.pipeline.adopt(STREAM)
    last.run(until=lambda: is_closed(redis))
    changes = outputs(redis_text, KEYS.notes)
    assert_cited(changes, said)
    revisions = [(change["id"], change["rev"]) for change in changes]
    assert len(revisions) == len(set(revisions)), "nothing is told twice"
    notes = present(changes)
    assert column(changes, "change").count("add") == len(notes)
    assert [note.id for note in notes] == [str(n + 1) for n in range(len(notes))]
    assert len({note.text for note in notes}) == len(notes)
    [question] = [note for note in notes if note.text == TALK[2][1]]
    assert question.is_resolved


def test_the_ids_of_a_stream_that_goes_on_after_its_end_are_new(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    publish_talk(redis)
    Workbench(small).run_to_end()
    before = present(outputs(redis_text, KEYS.notes))
    redis.xadd(STREAM, {"text": "The ferry to Penny Lock leaves at nine from now on."})
    redis.xadd(STREAM, {"end_of_stream": "1"})
    Workbench(small).run_to_end()
    after = present(outputs(redis_text, KEYS.notes))
    assert after[: len(before)] == before
    [new] = after[len(before) :]
    assert new.id == str(len(before) + 1)


def test_a_stream_without_notes_has_no_key_of_them(redis: Redis, small: Settings) -> None:
    publish_talk(redis)
    Workbench(small.model_copy(update={"notes": "off"})).run_to_end()
    assert not redis.exists(KEYS.notes)


def test_notes_in_a_model_s_own_words_cite_what_they_were_shown(
    redis: Redis, redis_text: Redis, small: Settings
) -> None:
    """On as few rows as there may be: they wait for a place to be written in."""
    free = {"notes": "free", "notes_max_tokens": 48, "num_recent": 500, "num_rows": 2}
    said = publish_talk(redis)
    bench = Workbench(small.model_copy(update=free))
    bench.run_to_end()
    for change in outputs(redis_text, KEYS.notes):
        note = Note.of(change)
        assert note.cites and set(note.cites) <= said.keys()
    summaries = outputs(redis_text, KEYS.summary)
    assert summaries[-1]["final"] == "1"
    assert bench.engine.num_free_rows == bench.engine.config.num_rows
