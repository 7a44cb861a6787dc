"""`weir ask` tells where its answer was said, or that nobody said it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import parse_request

STREAM = "live:standup"
KEYS = stream_keys(STREAM)
Weir = Callable[..., tuple[int, str, str]]
TALK = [
    ("0", "Ann", "The gate at Carrow Bridge sticks."),
    ("700", "Bo", "Sheila brings the sandbags on"),
    ("705", "Bo", "Friday."),
    ("1300", "Ann", "The gate is free now."),
]


@pytest.fixture
def ids(redis: Redis) -> list[str]:
    found = []
    for start, speaker, text in TALK:
        fields = {"text": text, "speaker": speaker, "start": start}
        found.append(redis.xadd(STREAM, fields).decode())
        joined = {"joined": "space"} if text == "Friday." else {}
        redis.xadd(KEYS.transcript, fields | joined | {"entry": found[-1]})
    return found


@contextmanager
def owner(redis: Redis, *, text: str = "So it is.") -> Iterator[list[dict[bytes, bytes]]]:
    """Answers one question, as the stream's owner would."""
    asked = list[dict[bytes, bytes]]()

    def answer() -> None:
        reply = redis.xread({KEYS.requests: before}, block=20_000)
        for _, entries in reply:
            for entry_id, fields in entries:
                asked.append(fields)
                request = parse_request(entry_id.decode(), fields)
                redis.xadd(KEYS.answers, {"id": request.id, "text": text})

    before = redis.xadd(KEYS.requests, {"kind": "flush"})
    thread = threading.Thread(target=answer)
    thread.start()
    yield asked
    thread.join()


def test_an_answer_in_quotes_is_told_once_each_with_its_place(
    redis: Redis, weir: Weir, ids: list[str]
) -> None:
    with owner(redis, text="Bo: Sheila brings the sandbags on Friday."):
        code, out, _ = weir("ask", STREAM, "Who brings sandbags?")
    assert code == 0
    assert out.count("sandbags") == 1
    assert ids[1] in out


def test_an_answer_tells_where_it_was_said(redis: Redis, weir: Weir, ids: list[str]) -> None:
    with owner(redis) as asked:
        code, out, _ = weir("ask", STREAM, "Who brings sandbags?")
    assert code == 0
    assert out == (f"So it is.\n  [Bo 0:11:40, {ids[1]}] Sheila brings the sandbags on Friday.\n")
    [fields] = asked
    assert fields[b"said"] == b"Bo: Sheila brings the sandbags on Friday."
    assert fields[b"cites"].decode().split() == ids[1:3]


def test_what_nobody_said_is_asked_of_nobody(redis: Redis, weir: Weir, ids: list[str]) -> None:
    code, out, err = weir("ask", STREAM, "Who sings the Zanzibar anthem?")
    assert (code, out, err) == (0, "that was not said\n", "")
    assert not redis.exists(KEYS.requests)


def test_what_was_said_before_the_time_that_is_asked_about_is_left_out(
    redis: Redis, weir: Weir, ids: list[str]
) -> None:
    end = redis.xadd(STREAM, {"end_of_stream": "1"}).decode()
    redis.xadd(KEYS.transcript, {"entry": end, "text": ""})
    with owner(redis) as asked:
        weir("ask", STREAM, "Is the gate free?", "--last", "10m")
    assert asked[0][b"cites"].decode() == ids[3]
    code, out, _ = weir("ask", STREAM, "Who brings sandbags?", "--last", "90s")
    assert (code, out) == (0, "that was not said\n")


@pytest.mark.parametrize("wrong", ["10", "m", "0m", "ten minutes"])
def test_a_time_that_is_none_is_refused(weir: Weir, wrong: str) -> None:
    code, _, err = weir("ask", STREAM, "Who?", "--last", wrong)
    assert (code, "write it as in 90s, 10m or 2h" in err) == (2, True)


def note(redis: Redis, ids: list[str], kind: str, text: str, **more: str) -> None:
    fields = {"id": str(redis.xlen(KEYS.notes) + 1), "kind": kind, "text": text, "cites": ids[0]}
    fields |= {"change": "add", "who": "Ann", "due": "", "rev": "1", "status": "open"}
    redis.xadd(KEYS.notes, fields | more)


def test_what_was_decided_is_told_from_the_notes_and_nobody_is_asked(
    redis: Redis, weir: Weir, ids: list[str]
) -> None:
    note(redis, ids, "decision", "The gate stays open.")
    note(redis, ids, "decision", "The gate is closed.", status="resolved")
    note(redis, ids, "action", "Bo will send the keys.", who="Bo", due="by Friday")
    note(redis, ids, "fact", "The gate sticks.")
    assert weir("ask", STREAM, "What did they decide in the end?") == (
        *(0, f"  [Ann 0:00:00, {ids[0]}] The gate stays open.\n", ""),
    )
    assert "keys" not in weir("ask", STREAM, "Anything decided about the gate?")[1]
    assert weir("ask", STREAM, "Who has to do what?")[1] == (
        f"  [Bo 0:00:00, {ids[0]}] Bo will send the keys. (due: by Friday)\n"
    )
    assert weir("ask", STREAM, "What is still open?")[1] == "no question is open so far\n"
    last = weir("ask", STREAM, "What was decided?", "--last", "90s")[1]
    assert last == "nothing was decided so far\n"
    assert not redis.exists(KEYS.requests)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What was decided?", "nothing was decided so far\n"),
        ("Who promised what?", "nobody has promised anything so far\n"),
    ],
)
def test_what_nobody_did_is_told_as_that(
    weir: Weir, ids: list[str], question: str, answer: str
) -> None:
    assert weir("ask", STREAM, question) == (0, answer, "")


def test_what_a_talk_was_about_is_what_tells_most_and_what_it_decided(
    redis: Redis, weir: Weir, ids: list[str]
) -> None:
    note(redis, ids, "decision", "The gate stays open.")
    _, out, _ = weir("ask", STREAM, "What was it about?")
    assert f"[Ann 0:00:00, {ids[0]}] The gate stays open.\n" in out
    assert f"[Bo 0:11:40, {ids[1]}] Sheila brings the sandbags on Friday.\n" in out
    places = [entry for line in out.splitlines() for entry in ids if entry in line]
    assert places == sorted(places), "in the order in which it was said"


def test_a_speaker_is_told_in_his_own_words(weir: Weir, ids: list[str]) -> None:
    code, out, _ = weir("ask", STREAM, "What did Bo say?")
    assert (code, out) == (0, f"  [Bo 0:11:40, {ids[1]}] Sheila brings the sandbags on Friday.\n")


def test_a_time_in_the_question_is_the_time_that_is_told_of(weir: Weir, ids: list[str]) -> None:
    _, out, _ = weir("ask", STREAM, "What happened in the last five minutes?")
    assert out == f"  [Ann 0:21:40, {ids[3]}] The gate is free now.\n"
