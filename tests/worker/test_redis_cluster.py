"""Streams on a Redis Cluster of three nodes, whose slots are moved while entries come and go.

Another client than ours writes them, and looks at what has come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisCluster
from redis.exceptions import RedisError

from tests.worker.keyspace.clustered import Clustered, move_key, port_of
from tests.worker.keyspace.watched import until
from tests.worker.workbench import Workbench, sentence, settings_for
from worker.cli import main
from worker.exporter.reading import read
from worker.keyspace import registry
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.figures import figures
from worker.keyspace.keys import cluster_slot, stream_keys
from worker.keyspace.lease import Leases
from worker.keyspace.publisher import Publisher
from worker.keyspace.trouble import is_passing
from worker.settings.config import Settings

MOVED = ("live:{c}:d", "live:e}f")
STREAMS = (*MOVED, "live:g")
ON_EACH = ("live:1", "live:2", "live:3", "live:4", "live:5", "live:6")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Clustered]:
    with Clustered() as cluster:
        yield cluster


@pytest.fixture
def theirs(cluster: Clustered) -> Iterator[RedisCluster]:
    """On an empty cluster."""
    for node in cluster.nodes:
        node.flushall()
    port = port_of(cluster.nodes[0])
    with RedisCluster(host="127.0.0.1", port=port, decode_responses=True) as redis:
        yield redis


@pytest.fixture
def ours(cluster: Clustered, theirs: RedisCluster) -> Iterator[Redis]:
    with connect(Settings(redis_url=cluster.url)) as redis:
        yield redis


def assert_on_every_node(cluster: Clustered, streams: tuple[str, ...]) -> None:
    owners = [cluster.owner(cluster_slot(stream)) for stream in streams]
    assert all(node in owners for node in cluster.nodes)


def test_every_entry_is_told_once_in_order_while_slots_move(
    cluster: Clustered, theirs: RedisCluster, tmp_path: Path
) -> None:
    bench = Workbench(settings_for(cluster.url, tmp_path))
    said: list[str] = []

    def go_on() -> None:
        said.append(sentence(len(said)))
        for stream in STREAMS:
            theirs.xadd(stream, {"text": said[-1]})
        bench.run_in_trouble(2)

    for stream in STREAMS:
        bench.pipeline.adopt(stream)
    go_on()
    bench.run_until_idle()
    before = {kind: cluster.num_answers(kind) for kind in ("MOVED", "ASK", "TRYAGAIN")}
    for stream in MOVED:
        cluster.move(cluster_slot(stream), between=go_on)
    assert all(cluster.num_answers(kind) > num for kind, num in before.items())
    finish(bench, theirs)
    for stream in STREAMS:
        assert_told_once(theirs, stream, said)


def test_a_node_that_is_away_is_waited_for(
    cluster: Clustered, theirs: RedisCluster, tmp_path: Path
) -> None:
    bench = Workbench(settings_for(cluster.url, tmp_path))
    for stream in STREAMS:
        theirs.xadd(stream, {"text": sentence(0)})
        bench.pipeline.adopt(stream)
    bench.run_until_idle()
    for stream in STREAMS:
        theirs.xadd(stream, {"text": sentence(1)})
    server = cluster.server_of(cluster.owner(cluster_slot(STREAMS[-1])))
    server.kill()
    assert bench.run_in_trouble(3) > 0
    server.start()
    cluster.wait_until_whole()
    finish(bench, theirs)
    for stream in STREAMS:
        assert_told_once(theirs, stream, [sentence(0), sentence(1)])


def test_the_replica_of_a_node_that_died_is_gone_on_with(tmp_path: Path) -> None:
    with Clustered() as cluster:
        old = cluster.nodes[0]
        new = cluster.add_replica(old)
        [stream] = [s for s in ON_EACH if cluster.owner(cluster_slot(s)) is old][:1]
        bench = Workbench(settings_for(cluster.url, tmp_path))
        old.xadd(stream, {"text": sentence(0)})
        bench.pipeline.adopt(stream)
        bench.run_until_idle()
        old.wait(1, 5000)
        cluster.server_of(old).kill()
        until(lambda: bench.run_in_trouble(1) >= 0 and new.info("replication")["role"] == "master")
        new.xadd(stream, {"text": sentence(1)})
        new.xadd(stream, {"end_of_stream": "1"})
        until(lambda: bench.run_in_trouble(1) >= 0 and not bench.streams)
        told = [fields for _, fields in new.xrange(stream_keys(stream).transcript)]
        assert [fields[b"text"].decode() for fields in told[:-1]] == [sentence(0), sentence(1)]
        assert [fields[b"entry"] for fields in told] == [i for i, _ in new.xrange(stream)]


def finish(bench: Workbench, theirs: RedisCluster) -> None:
    for stream in STREAMS:
        theirs.xadd(stream, {"end_of_stream": "1"})
    until(lambda: bench.run_in_trouble(1) >= 0 and not bench.streams)


def assert_told_once(theirs: RedisCluster, stream: str, said: list[str]) -> None:
    told = [fields for _, fields in theirs.xrange(stream_keys(stream).transcript)]
    assert [fields["text"] for fields in told[:-1]] == said
    assert [fields["entry"] for fields in told] == [i for i, _ in theirs.xrange(stream)]
    assert not theirs.exists(stream_keys(stream).rejected)


def test_streams_of_all_nodes_are_found_looked_at_and_read_together(
    cluster: Clustered, theirs: RedisCluster, ours: Redis
) -> None:
    assert_on_every_node(cluster, ON_EACH[1:])
    ids = {stream: theirs.xadd(stream, {"text": "hi"}) for stream in ON_EACH}
    assert registry.discover(ours, ["live:*"]) == list(ON_EACH)
    lease = Leases(ours, "ana", lease_seconds=10).acquire(ON_EACH[0])
    assert lease is not None
    assert registry.look(ours, ["live:*"]).unowned == list(ON_EACH[1:])
    assert [line.lag_entries for line in figures(ours, ["live:*"])] == [1] * len(ON_EACH)
    came = dict(ours.xread(dict.fromkeys(ON_EACH, "0-0")))
    assert {key.decode(): entries[0][0].decode() for key, entries in came.items()} == ids
    server = read(ours, ["live:*"]).server
    assert server.used_bytes > max(node.info("memory")["used_memory"] for node in cluster.nodes)


def test_a_read_that_waits_ends_when_an_entry_comes_on_any_node(
    cluster: Clustered, theirs: RedisCluster
) -> None:
    with connect_blocking(Settings(redis_url=cluster.url), 10) as redis:
        assert redis.xread(dict.fromkeys(ON_EACH, "0-0"), block=50) == []
        for stream in ON_EACH:
            theirs.xadd(stream, {"text": "hi"})
            [(key, _)] = redis.xread({stream: "0-0", "live:nobody": "0-0"}, block=10_000)
            assert key.decode() == stream


def test_nodes_that_do_not_know_a_script_are_told_it(
    cluster: Clustered, theirs: RedisCluster, ours: Redis
) -> None:
    publishers = [Publisher(ours, stream) for stream in ON_EACH]
    leases = Leases(ours, "ana", lease_seconds=10)
    for publisher in publishers:
        publisher.publish([{"text": "hi"}])
    held = [leases.acquire(stream) for stream in ON_EACH]
    for node in cluster.nodes:
        node.script_flush()
    for publisher in publishers:
        publisher.publish([{"text": "there"}])
    assert leases.renew({lease: 0 for lease in held if lease}) == {}
    assert [theirs.xlen(stream) for stream in ON_EACH] == [2] * len(ON_EACH)


def slot_changes(cluster: Clustered) -> None:
    cluster.move(cluster_slot(ON_EACH[0]))


def slot_changes_and_scripts_are_forgotten(cluster: Clustered) -> None:
    cluster.move(cluster_slot(ON_EACH[0]))
    for node in cluster.nodes:
        node.script_flush()


@pytest.mark.parametrize("change", [slot_changes, slot_changes_and_scripts_are_forgotten])
def test_a_slot_that_has_moved_is_followed(
    cluster: Clustered, theirs: RedisCluster, ours: Redis, change: Callable[[Clustered], None]
) -> None:
    leases = Leases(ours, "ana", lease_seconds=10)
    held = [lease for stream in ON_EACH if (lease := leases.acquire(stream))]
    change(cluster)
    assert leases.renew(dict.fromkeys(held, 0)) == {}
    change(cluster)
    Publisher(ours, ON_EACH[0]).publish([{"text": "hi"}])
    change(cluster)
    assert len(ours.xread(dict.fromkeys(ON_EACH, "0-0"))) == 1


def test_a_stream_between_two_nodes_keeps_no_other_waiting(
    cluster: Clustered, theirs: RedisCluster, ours: Redis
) -> None:
    leases = Leases(ours, "ana", lease_seconds=10)
    for stream in ON_EACH:
        theirs.xadd(stream, {"text": "hi"})
    moving, *others = held = [lease for stream in ON_EACH if (lease := leases.acquire(stream))]
    slot = cluster_slot(moving.stream)
    source = cluster.owner(slot)
    target = cluster.other_than(source)
    cluster.begin_to_move(slot, source, target)
    assert move_key(slot, source, target)
    assert leases.renew(dict.fromkeys(held, 0)) == {}
    assert [line.stream for line in figures(ours, ["live:*"])] == [o.stream for o in others]
    assert len(ours.xread(dict.fromkeys(ON_EACH, "0-0"))) == len(ON_EACH)
    keys = stream_keys(moving.stream)
    with pytest.raises(RedisError) as caught:
        ours.eval("return 1", 4, keys.stream, keys.state, keys.lease, keys.transcript)
    assert is_passing(caught.value)
    cluster.end_move(slot, source, target)
    leases.release(moving)
    assert len(figures(ours, ["live:*"])) == len(ON_EACH)


def test_people_s_commands_are_the_same(
    cluster: Clustered,
    theirs: RedisCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEIR_REDIS_URL", cluster.url)
    file = tmp_path / "talk.txt"
    file.write_text("Good morning.\n\nLet us begin.\n")
    for stream in ON_EACH:
        assert main(["publish", stream, str(file)]) == 0
        assert [fields["text"] for _, fields in theirs.xrange(stream)] == [
            "Good morning.",
            "Let us begin.",
        ]
        assert main(["flush", stream]) == 0
        assert theirs.xlen(stream_keys(stream).requests) == 1
    capsys.readouterr()
    assert main(["streams"]) == 0
    shown = capsys.readouterr().out
    assert all(stream in shown for stream in ON_EACH)
