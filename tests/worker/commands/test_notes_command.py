"""`weir notes` shows the items as they stand, and where each was said."""

from __future__ import annotations

import json
from collections.abc import Callable

from redis import Redis

from worker.keyspace.keys import stream_keys

STREAM = "live:standup"
KEYS = stream_keys(STREAM)
Weir = Callable[..., tuple[int, str, str]]


def publish(redis: Redis) -> list[str]:
    """Two entries with their transcript, and three changes of two items."""
    said = [("Ann", "Who has the key?", "12.5"), ("Bo", "I'll *bring* it.", "3723")]
    ids = []
    for speaker, text, start in said:
        fields = {"text": text, "speaker": speaker, "start": start}
        ids.append(redis.xadd(STREAM, fields).decode())
        redis.xadd(KEYS.transcript, fields | {"entry": ids[-1]})
    item = {"id": "1", "kind": "question", "text": "Who has the key?", "who": "Ann", "due": ""}
    changes = [
        item | {"change": "add", "cites": ids[0], "rev": "1", "status": "open"},
        item
        | {"change": "add", "id": "2", "kind": "action", "text": "I'll *bring* it.", "who": "Bo"}
        | {"cites": ids[1], "rev": "1", "status": "open", "due": "tomorrow"},
        item | {"change": "resolve", "cites": " ".join(ids), "rev": "2", "status": "resolved"},
    ]
    for change in changes:
        redis.xadd(KEYS.notes, change)
    redis.hset(KEYS.state, mapping={"status": "closed"})
    return ids


def test_a_page_shows_each_item_once_as_it_stands(redis: Redis, weir: Weir) -> None:
    one, two = publish(redis)
    code, out, err = weir("notes", STREAM)
    assert (code, err) == (0, "")
    assert out == (
        "# Notes of live:standup\n"
        "\n## Actions\n\n"
        f"* **2** I'll \\*bring\\* it. (who: Bo; due: tomorrow) \\[Bo 1:02:03, {two}\\]\n"
        "\n## Questions\n\n"
        f"* **1** ~~Who has the key?~~ (who: Ann) \\[Ann 0:00:12, {one}; Bo 1:02:03, {two}\\]\n"
    )


def test_json_has_an_item_a_line_with_places(redis: Redis, weir: Weir) -> None:
    one, two = publish(redis)
    code, out, _ = weir("notes", STREAM, "--format", "json")
    question, action = map(json.loads, out.splitlines())
    assert code == 0
    assert question == {
        "id": "1",
        "kind": "question",
        "text": "Who has the key?",
        "who": "Ann",
        "due": "",
        "cites": [
            {"entry": one, "speaker": "Ann", "start": 12.5},
            {"entry": two, "speaker": "Bo", "start": 3723.0},
        ],
        "rev": 2,
        "status": "resolved",
    }
    assert (action["id"], action["due"]) == ("2", "tomorrow")


def test_what_the_input_has_no_more_is_found_in_the_transcript(redis: Redis, weir: Weir) -> None:
    publish(redis)
    _, before, _ = weir("notes", STREAM)
    redis.xtrim(STREAM, maxlen=0)
    _, after, _ = weir("notes", STREAM)
    assert after == before


def test_followed_notes_of_a_closed_stream_end(redis: Redis, weir: Weir) -> None:
    publish(redis)
    assert weir("notes", STREAM, "--follow")[0] == 0


def test_a_stream_without_notes_says_so(redis: Redis, weir: Weir) -> None:
    redis.xadd(STREAM, {"text": "Good morning."})
    assert weir("notes", STREAM) == (0, "", "weir notes: live:standup has no notes yet\n")
    code, _, err = weir("notes", "live:nobody")
    assert (code, "there is no stream live:nobody" in err) == (2, True)


def test_the_tail_tells_each_change(redis: Redis, weir: Weir) -> None:
    publish(redis)
    _, out, _ = weir("tail", STREAM, "--from-start")
    assert "[question 1, new] Who has the key? (Ann)\n" in out
    assert "[action 2, new] I'll *bring* it. (Bo; tomorrow)\n" in out
    assert "[question 1, resolved] Who has the key? (Ann)\n" in out


def test_an_hour_and_a_day_lead_to_the_entries(redis: Redis, weir: Weir) -> None:
    _, two = publish(redis)
    line = f"* action **2** I'll \\*bring\\* it. (who: Bo; due: tomorrow) \\[Bo 1:02:03, {two}\\]\n"
    head = "# Notes of live:standup\n\n## "
    assert weir("notes", STREAM, "--by", "hour") == (
        *(0, f"{head}day 1, hour 2 (1 of 1 notes)\n\n{line}", ""),
    )
    assert weir("notes", STREAM, "--by", "day")[1] == f"{head}day 1 (1 of 1 notes)\n\n{line}"
    assert weir("notes", STREAM, "--by", "hour", "--at", "day 2")[1] == "# Notes of live:standup\n"
    _, out, _ = weir("notes", STREAM, "--by", "day", "--format", "json")
    told = json.loads(out)
    assert (told["period"], told["of"], told["notes"][0]["cites"][0]["entry"]) == ("day 1", 1, two)


def test_a_talk_without_a_clock_has_the_hours_in_which_it_came(redis: Redis, weir: Weir) -> None:
    id = redis.xadd(STREAM, {"text": "The gate is open."}, id="1773065940000-0").decode()
    item = {"id": "1", "kind": "decision", "text": "The gate is open.", "cites": id}
    redis.xadd(KEYS.notes, item | {"change": "add", "rev": "1", "status": "open"})
    assert "## 2026-03-09 14:00 (1 of 1 notes)" in weir("notes", STREAM, "--by", "hour")[1]
    assert "gate" in weir("notes", STREAM, "--by", "hour", "--at", "2026-03-09T14")[1]
    assert "gate" not in weir("notes", STREAM, "--by", "hour", "--at", "2026-03-10")[1]


def test_a_time_without_hours_or_days_is_refused(redis: Redis, weir: Weir) -> None:
    publish(redis)
    code, _, err = weir("notes", STREAM, "--at", "2026-03-09")
    assert (code, "--at needs --by" in err) == (2, True)
