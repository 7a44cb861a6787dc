"""Each entry is published once, in order, whichever reply is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from tests.worker.keyspace.lossy_proxy import LossyProxy
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.publisher import Publisher


@pytest.fixture
def proxy(redis_server: EmbeddedServer) -> Iterator[LossyProxy]:
    proxy = LossyProxy(redis_server.port)
    yield proxy
    proxy.close()


def texts(redis: Redis) -> list[str]:
    return [fields[b"text"].decode() for _, fields in redis.xrange("live:a")]


def entries(*texts: str) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def test_entries_come_in_order_with_all_their_fields(redis: Redis) -> None:
    Publisher(redis, "live:a").publish([{"text": "é", "speaker": "Ana"}, {"text": "b"}])
    assert [fields for _, fields in redis.xrange("live:a")] == [
        {b"text": "é".encode(), b"speaker": b"Ana"},
        {b"text": b"b"},
    ]


def test_a_plain_xadd_is_doubled_by_a_lost_reply(redis: Redis, proxy: LossyProxy) -> None:
    """Why this publisher exists; when redis-py stops doing this, it can go."""
    with Redis.from_url(proxy.url, retry=Retry(NoBackoff(), 3)) as client:
        client.ping()
        proxy.lose_next("reply")
        client.xadd("live:a", {"text": "a"})
    assert texts(redis) == ["a", "a"]


def test_a_lost_reply_that_redis_py_retries_publishes_once(redis: Redis, proxy: LossyProxy) -> None:
    with Redis.from_url(proxy.url, retry=Retry(NoBackoff(), 3)) as client:
        publisher = Publisher(client, "live:a")
        publisher.publish(entries("a", "b"))
        proxy.lose_next("reply")
        publisher.publish(entries("c", "d"))
        publisher.publish(entries("e"))
    assert proxy.has_lost_all
    assert texts(redis) == list("abcde")


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["", "request", "reply"])), max_size=8)
)
def test_any_losses_publish_each_entry_once(
    redis_server: EmbeddedServer, batches: list[tuple[int, str]]
) -> None:
    proxy = LossyProxy(redis_server.port)
    redis = Redis.from_url(redis_server.url)
    redis.flushall()
    with redis, Redis.from_url(proxy.url, retry=Retry(NoBackoff(), 0)) as client:
        publisher, expected = Publisher(client, "live:a"), []
        for num, lost in batches:
            batch = [str(len(expected) + at) for at in range(num)]
            expected += batch
            if lost:
                client.ping()
                proxy.lose_next(lost)
                with pytest.raises(ConnectionError):
                    publisher.publish(entries(*batch))
            publisher.publish(entries(*batch))
        assert texts(redis) == expected
    proxy.close()


def test_publishers_do_not_stand_in_each_others_way(redis: Redis) -> None:
    one, other = Publisher(redis, "live:a"), Publisher(redis, "live:a")
    one.publish(entries("a"))
    other.publish(entries("b"))
    one.publish(entries("c"))
    assert texts(redis) == ["a", "b", "c"]


def test_publishers_of_long_ago_are_forgotten(redis: Redis) -> None:
    published = stream_keys("live:a").published
    redis.hset(published, "old", "7:1000")
    Publisher(redis, "live:a").publish(entries("a"))
    assert not redis.hexists(published, "old")
