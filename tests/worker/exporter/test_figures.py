"""What `weir exporter` serves is what was done to the server, counted by who did it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from worker.exporter.collector import RedisCollector
from worker.exporter.families import MAX_NAME_LENGTH
from worker.exporter.reading import read
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer
from worker.keyspace.failing import note_failing
from worker.keyspace.figures import STATUSES
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Leases
from worker.keyspace.requests import request

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(redis: Redis, *, num_worst: int = 20) -> Series:
    """Every series of a real scrape, by name and labels."""
    registry = CollectorRegistry()
    registry.register(RedisCollector(lambda: read(redis, ["live:*"]), num_worst=num_worst))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    series = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(series) == len(samples)  # else Prometheus takes none of them
    return series


def value(series: Series, name: str, **labels: str) -> float | None:
    return series.get((name, frozenset(labels.items())))


def by_label(series: Series, name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: v for (known, labels), v in series.items() if known == name}


@dataclass(frozen=True)
class Life:
    """What happens to a stream: entries a number of seconds apart, of which some are read."""

    ages_seconds: tuple[int, ...]
    num_read: int
    then: str  # what its owner says of it, if it has had one
    is_kept: bool
    fails: bool
    is_asked: bool

    @property
    def has_been_owned(self) -> bool:
        return self.then != "new"

    @property
    def unread(self) -> tuple[int, ...]:
        return self.ages_seconds[self.num_read :]

    @property
    def needs_an_owner(self) -> bool:
        return bool(self.unread) or self.is_asked or self.then == "live"


@st.composite
def lives(draw: st.DrawFn) -> Life:
    ages = sorted(draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=4)), reverse=True)
    then = draw(st.sampled_from(["new", "live", "parked", "closed"]))
    num_read = 0 if then == "new" else draw(st.integers(0, len(ages)))
    is_kept = then != "new" and draw(st.booleans())
    return Life(tuple(ages), num_read, then, is_kept, draw(st.booleans()), draw(st.booleans()))


def live(redis: Redis, name: str, life: Life, now_ms: int) -> None:
    ids = [
        redis.xadd(name, {"text": "hi"}, id=f"{now_ms - age * 1000}-{at + 1}")
        for at, age in enumerate(life.ages_seconds)
    ]
    if life.has_been_owned:
        leases = Leases(redis, f"host:{name}:abc", lease_seconds=60)
        lease = leases.acquire(name)
        assert lease is not None
        read_id = ids[life.num_read - 1].decode() if life.num_read else "0-0"
        after = Checkpoint(entry_id=read_id, entries_read=life.num_read, status=life.then)  # type: ignore[arg-type]
        Committer(redis, lease_seconds=60).commit(lease, Checkpoint.load(redis, name), after, ())
        if not life.is_kept:
            leases.release(lease)
    if life.is_asked:
        request(redis, name, "flush")
    if life.fails:
        note_failing(redis, name, ValueError("no"), seconds=60)


@settings(max_examples=25)
@given(told=st.lists(lives(), max_size=6))
def test_what_is_served_is_what_happened(redis: Redis, told: list[Life]) -> None:
    redis.flushall()
    now_ms = int(time.time() * 1000)
    for number, life in enumerate(told):
        live(redis, f"live:{number}", life, now_ms)
    series = scrape(redis)
    assert value(series, "weir_redis_up") == 1
    expected = Counter(
        ("failing" if life.fails else life.then, "yes" if life.is_kept else "no") for life in told
    )
    for state, owned in product(STATUSES, ("yes", "no")):
        found = value(series, "weir_known_streams", state=state, owned=owned)
        assert found == expected[state, owned], (state, owned)
    assert value(series, "weir_unread_entries") == sum(len(life.unread) for life in told)
    waiting = sum(life.needs_an_owner and not (life.is_kept or life.fails) for life in told)
    assert value(series, "weir_waiting_streams") == waiting
    behind = {f"live:{n}": life.unread for n, life in enumerate(told) if life.unread}
    named = by_label(series, "weir_stream_unread_entries", "stream")
    assert named == {name: len(unread) for name, unread in behind.items()}
    until = by_label(series, "weir_stream_read_until_timestamp_seconds", "stream")
    for name, unread in behind.items():
        assert abs(until[name] - (now_ms / 1000 - unread[0])) < 0.01
    ages = [unread[0] for unread in behind.values()]
    of_all = value(series, "weir_read_until_timestamp_seconds")
    assert of_all is not None
    if ages:
        assert abs(of_all - (now_ms / 1000 - max(ages))) < 0.01
    else:
        assert now_ms / 1000 - 0.01 <= of_all <= time.time() + 0.01


def test_a_broken_stream_is_told_as_such_and_by_name(redis: Redis) -> None:
    redis.xadd("live:a", {"text": "hi"})
    redis.set(stream_keys("live:a").state, "no hash")
    series = scrape(redis)
    assert value(series, "weir_known_streams", state="broken", owned="no") == 1
    assert value(series, "weir_stream_trouble", stream="live:a", state="broken") == 1
    assert value(series, "weir_waiting_streams") == 0  # a person is waited for, not a worker


def test_only_the_worst_are_named_and_all_are_counted(redis: Redis) -> None:
    now_ms = int(time.time() * 1000)
    for age in range(1, 41):
        life = Life((age * 60,), 0, "new", is_kept=False, fails=age % 2 == 0, is_asked=False)
        live(redis, f"live:{age:02}", life, now_ms)
    series = scrape(redis, num_worst=3)
    furthest = {"live:38", "live:39", "live:40"}
    assert by_label(series, "weir_stream_unread_entries", "stream").keys() == furthest
    assert by_label(series, "weir_stream_read_until_timestamp_seconds", "stream").keys() == furthest
    assert len(by_label(series, "weir_stream_trouble", "stream")) == 3
    assert value(series, "weir_unread_entries") == 40
    assert value(series, "weir_known_streams", state="failing", owned="no") == 20
    assert len(series) == len(scrape(redis, num_worst=0)) + 9


def test_names_of_any_letters_and_length_are_series_of_their_own(redis: Redis) -> None:
    long = "live:" + "x" * (2 * MAX_NAME_LENGTH)
    names = ['live:"quoted"\\\n', "live:\U0001f600", "live:", long + "a", long + "b"]
    for name in names:
        redis.xadd(name, {"text": "hi"})
    series = scrape(redis)
    assert value(series, "weir_unread_entries") == 5
    named = by_label(series, "weir_stream_unread_entries", "stream")
    assert named.keys() >= set(names[:3])
    assert max(len(name) for name in named) < MAX_NAME_LENGTH + 30


def test_owners_are_told_by_host_and_process(redis: Redis) -> None:
    for name, owner in (("live:a", "h:1:x"), ("live:b", "h:1:x"), ("live:c", "h:2:y")):
        redis.xadd(name, {"text": "hi"})
        Leases(redis, owner, lease_seconds=60).acquire(name)
    assert by_label(scrape(redis), "weir_owned_streams", "owner") == {"h:1": 2, "h:2": 1}


def test_ids_that_are_no_times_and_times_to_come_are_not_behind(redis: Redis) -> None:
    redis.xadd("live:numbers", {"text": "hi"}, id="5-1")
    redis.xadd("live:tomorrow", {"text": "hi"}, id=f"{int((time.time() + 86400) * 1000)}-1")
    until = value(scrape(redis), "weir_read_until_timestamp_seconds")
    assert until is not None and abs(until - time.time()) < 60


def test_memory_is_told_with_its_limit_if_there_is_one(redis: Redis) -> None:
    assert value(scrape(redis), "weir_redis_memory_max_bytes") is None
    redis.config_set("maxmemory", 10**9)
    try:
        series = scrape(redis)
    finally:
        redis.config_set("maxmemory", 0)
    assert value(series, "weir_redis_memory_max_bytes") == 10**9
    used = value(series, "weir_redis_memory_used_bytes")
    assert used is not None and 10**5 < used < 10**9
