"""The table of workers and their orders, on a real server."""

from __future__ import annotations

from redis import Redis

from worker.keyspace.workers import WORKERS_KEY, Line, Order, Workers


def test_every_worker_sees_what_the_others_said_last(redis: Redis) -> None:
    workers = Workers(redis)
    workers.report("a", {"num_streams": 3})
    workers.report("a", {"num_streams": 4})
    seen = workers.report("b", {"num_streams": 0})
    assert {name: line.said for name, line in seen.items()} == {
        "a": {"num_streams": 4},
        "b": {"num_streams": 0},
    }
    assert seen.keys() == workers.all().keys()


def test_lines_that_are_old_or_of_the_future_are_taken_away(redis: Redis) -> None:
    workers = Workers(redis)
    now = redis.time()[0]
    redis.hset(WORKERS_KEY, mapping={"old": f"{1000 * (now - 60)} {{}}"})
    redis.hset(WORKERS_KEY, mapping={"early": f"{1000 * (now + 60)} {{}}", "spoilt": "what"})
    assert workers.report("a", {}).keys() == {"a"}
    assert redis.hkeys(WORKERS_KEY) == [b"a"]


def test_a_worker_that_leaves_is_given_nothing(redis: Redis) -> None:
    workers = Workers(redis)
    workers.report("a", {})
    workers.report("b", {})
    workers.leave("a")
    assert workers.report("b", {}).keys() == {"b"}


def test_what_no_worker_wrote_is_passed_over(redis: Redis) -> None:
    workers = Workers(redis)
    redis.hset(WORKERS_KEY, "spoilt", f"{1000 * redis.time()[0]} [1]")
    assert workers.report("a", {}).keys() == {"a"}
    own, wild = f'"{WORKERS_KEY}"', '"\\ud800"'
    orders = [f'{{"verb": "take", "stream": {name}}}' for name in ("7", own, wild)]
    for raw in (b"\xff", "[]", "{}", '{"verb": "burn"}', *orders):
        redis.rpush(f"{WORKERS_KEY}:a", raw)
        assert workers.next_order("a", timeout_seconds=0.01) is None


def test_orders_come_in_their_order_to_whom_they_were_left(redis: Redis) -> None:
    workers = Workers(redis)
    orders = [Order("take", "live:a", "b"), Order("give", "live:b", "c"), Order("drain")]
    for order in orders:
        workers.send("a", order)
    assert workers.next_order("b", timeout_seconds=0.01) is None
    assert [workers.next_order("a", timeout_seconds=1.0) for _ in orders] == orders
    assert redis.exists(f"{WORKERS_KEY}:a") == 0


def test_orders_of_a_worker_that_is_gone_go_too(redis: Redis) -> None:
    Workers(redis).send("a", Order("drain"))
    assert 0 < redis.ttl(f"{WORKERS_KEY}:a") <= 60


def test_a_line_says_when_it_was_written_by_the_servers_clock(redis: Redis) -> None:
    before = redis.time()[0]
    line = Workers(redis).report("a", {"x": 1})["a"]
    assert isinstance(line, Line)
    assert before <= line.at <= redis.time()[0] + 1
