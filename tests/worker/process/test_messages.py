"""What is read from a queue's bytes: our own messages, whoever wrote them, and nothing else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from tests.system.messages import BAD, envelope, packed, with_arguments, with_headers
from worker.process.messages import ARGUMENTS, BadMessage, ControlMessage, read_message
from worker.process.messages import envelope as rewritten
from worker.settings.config import Settings

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(raw: bytes) -> ControlMessage:
    return read_message(raw, NOW)


@pytest.mark.parametrize("protocol", [1, 2])
def test_what_celery_writes_is_read(redis: Redis, weir_settings: Settings, protocol: int) -> None:
    """Another program's Celery, which knows the broker and the tasks' names."""
    app = Celery(broker=weir_settings.redis_url)
    app.conf.update(task_protocol=protocol, task_default_queue="test:queue")
    with app:
        app.send_task("weir.ask", args=["live:ä", "Who speaks?"], task_id="one", expires=9e8)
        app.send_task("weir.ask", kwargs={"question": "Who?", "stream": "live:b"}, task_id="two")
        app.send_task("weir.close", args=["live:b"], task_id="three")
    taken = [redis.rpop("test:queue") for _ in range(3)]
    assert [read(raw) for raw in taken] == [
        ControlMessage("ask", ("live:ä", "Who speaks?"), "one"),
        ControlMessage("ask", ("live:b", "Who?"), "two"),
        ControlMessage("close", ("live:b",), "three"),
    ]


@given(stream=TEXTS.filter(lambda name: not name.startswith("weir:")), id=TEXTS.filter(bool))
def test_any_name_of_a_stream_is_read_and_written_anew(stream: str, id: str) -> None:
    for verb, names in ARGUMENTS.items():
        message = ControlMessage(verb, (stream, "?")[: len(names)], id)
        assert read(packed(envelope(verb, *message.arguments, id=id))) == message
        assert read(packed(rewritten(message, "any"))) == message


@pytest.mark.parametrize("name", BAD)
def test_each_bad_message_has_its_reason(name: str) -> None:
    kind, raw = BAD[name]
    with pytest.raises(BadMessage) as caught:
        read(raw)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        read(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(data=st.data(), value=JSON, in_body=st.booleans())
def test_anything_in_any_place_is_read_or_refused(
    data: st.DataObject, value: object, in_body: bool
) -> None:
    message = envelope("ask", "live:a", "Who speaks?")
    if in_body:
        body = [["live:a", "Who?"], {}, {}]
        body[data.draw(st.integers(0, 2))] = value
        message["body"] = json.dumps(body)
        message["properties"]["body_encoding"] = None
    else:
        place = data.draw(st.sampled_from([message, message["headers"], message["properties"]]))
        place[data.draw(st.sampled_from(sorted(place)))] = value
    try:
        read(packed(message))
    except BadMessage as bad:
        assert str(bad)


def test_an_expiry_is_counted_from_now() -> None:
    soon, before = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
    read(with_headers(expires=soon.isoformat()))
    read(with_headers(expires=soon.replace(tzinfo=None).isoformat()))
    with pytest.raises(BadMessage, match="came too late"):
        read(with_headers(expires=before.isoformat()))


def test_nothing_of_the_sender_but_names_is_left() -> None:
    raw = with_headers(origin="me", stamps={"a": 1}, timelimit=[1, 1], argsrepr="rm -rf")
    text = json.dumps(rewritten(read(raw), "weir"))
    assert not any(word in text for word in ("origin", "stamps", "timelimit", "rm -rf"))


def test_no_arguments_is_said_with_what_is_needed() -> None:
    with pytest.raises(BadMessage, match=r"weir\.ask needs stream and question"):
        read(with_arguments("ask", [], {}))
