"""What the campaign's figures say of numbers that are known."""

from __future__ import annotations

from dataclasses import replace

from redis import Redis

from tests.chaos.arena import Outcome
from tests.chaos.oracle import Violation
from tests.chaos.soak import Sample, grown
from tests.chaos.table import Row, json_line, markdown, percentile
from tests.chaos.takeovers import Takeovers
from worker.keyspace.keys import stream_keys

LEVEL = Sample(0.0, 400.0, 17, 6, 4, 28, 8, 2.0, 0)


def test_what_stays_level_has_not_grown() -> None:
    samples = [replace(LEVEL, rss_mb=400 + n % 9, files=8 + n % 3) for n in range(100)]
    assert grown(samples) == []


def test_more_streams_at_a_time_are_no_growth() -> None:
    samples = [replace(LEVEL, streams=4 + n, keys=7 * (4 + n)) for n in range(100)]
    assert grown(samples) == []


def test_what_rises_slowly_has_grown() -> None:
    samples = [replace(LEVEL, descriptors=17 + n // 5, keys=28 + n) for n in range(100)]
    assert [line.partition(":")[0] for line in grown(samples)] == ["descriptors", "keys_per_stream"]


def test_the_hundredth_of_a_hundred_is_the_worst() -> None:
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_every_violation_is_in_the_table_and_in_the_last_line() -> None:
    violations = tuple(Violation("live:a", kind, "") for kind in ("lost", "lost", "hung"))
    outcome = Outcome(3, 2, 40, 39, 5, (1.0, 2.0, 9.0), violations)
    row = Row("kill", (), 0.0).with_run(outcome, 12.0)
    assert (
        "| kill | 1 | 3 | 2 | 40 | 39 | 5 | 2 | 0 | 0 | 0 | 1 | 2.00 9.00 (3) | 12 |"
        in markdown([row])
    )
    assert '"num_violations": 3' in json_line([row])


def test_a_take_over_is_the_time_to_the_next_line_after_a_death_of_the_streams_owner(
    redis_text: Redis,
) -> None:
    takeovers = Takeovers()
    redis_text.set(stream_keys("live:a").lease, "host:71:abc", px=60_000)
    redis_text.set(stream_keys("live:b").lease, "host:72:abc", px=60_000)
    takeovers.killed(71, ["live:a", "live:b"], redis_text)
    seconds, _ = redis_text.time()
    later = f"{(seconds + 5) * 1000}-0"
    for stream in ("live:a", "live:b"):
        redis_text.xadd(stream_keys(stream).transcript, {"text": "Here."}, id=later)
    [measured] = takeovers.take(["live:a", "live:b"], redis_text)
    assert 3.9 < measured <= 5.0
    assert takeovers.take(["live:a", "live:b"], redis_text) == []
