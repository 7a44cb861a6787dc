"""A request is made once per id, and says what is wrong with it."""

from __future__ import annotations

import pytest
from redis import Redis

from worker.intake.entries import Rejected
from worker.keyspace.keys import stream_keys
from worker.keyspace.requests import Request, parse_request, request

KEYS = stream_keys("live:a")


def test_a_request_becomes_one_entry(redis: Redis) -> None:
    id = request(redis, "live:a", "flush")
    [(entry_id, fields)] = redis.xrange(KEYS.requests)
    assert parse_request(entry_id.decode(), fields) == Request(entry_id.decode(), id, "flush")


def test_the_same_id_makes_one_request(redis: Redis) -> None:
    for _ in range(3):
        assert request(redis, "live:a", "close", id="c1") == "c1"
    assert redis.xlen(KEYS.requests) == 1


def test_without_an_id_every_call_is_a_request(redis: Redis) -> None:
    assert request(redis, "live:a", "flush") != request(redis, "live:a", "flush")
    assert redis.xlen(KEYS.requests) == 2


def test_an_old_id_is_forgotten(redis: Redis) -> None:
    redis.zadd(KEYS.requested, {"old": 1})
    request(redis, "live:a", "flush", id="old")
    assert redis.xlen(KEYS.requests) == 1


def test_a_question_keeps_its_words(redis: Redis) -> None:
    request(redis, "live:a", "ask", question=" Wer spricht? é ")
    [(entry_id, fields)] = redis.xrange(KEYS.requests)
    read = parse_request(entry_id.decode(), fields)
    assert isinstance(read, Request)
    assert read.question == "Wer spricht? é"


@pytest.mark.parametrize(
    ("kind", "question"), [("dance", ""), ("ask", " "), ("flush", "Who speaks?")]
)
def test_senseless_requests_are_refused(redis: Redis, kind: str, question: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        request(redis, "live:a", kind, question=question)  # type: ignore[arg-type]
    assert not redis.exists(KEYS.requests)


def test_what_was_written_by_hand_needs_no_id() -> None:
    assert parse_request("5-0", {b"kind": b"flush"}) == Request("5-0", "5-0", "flush")


@pytest.mark.parametrize("fields", [{}, {b"kind": b"\xff"}, {b"kind": b"ask"}])
def test_what_is_no_request_is_rejected(fields: dict[bytes, bytes]) -> None:
    assert isinstance(parse_request("5-0", fields), Rejected)
