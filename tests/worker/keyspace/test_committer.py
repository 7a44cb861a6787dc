"""A commit happens once or not at all, whoever dies and whichever reply is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError
from redis.retry import Retry

from tests.worker.keyspace.lossy_proxy import LossyProxy
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer, Output, StaleOwner
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.inputs import GROUP, marked
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Lease, Leases

STREAM = "live:a"
KEYS = stream_keys(STREAM)
LAST_ID = f"{2**64 - 1}-{2**64 - 1}"


@pytest.fixture
def lease(redis: Redis) -> Lease:
    lease = Leases(redis, "ana", lease_seconds=10).acquire(STREAM)
    assert lease is not None
    return lease


@pytest.fixture
def committer(redis: Redis) -> Committer:
    return Committer(redis, lease_seconds=10)


@pytest.fixture
def proxy(redis_server: EmbeddedServer) -> Iterator[LossyProxy]:
    proxy = LossyProxy(redis_server.port)
    yield proxy
    proxy.close()


def said(text: str, **options: Any) -> Output:
    return Output(KEYS.transcript, {"text": text}, **options)


def texts(redis: Redis, key: str = KEYS.transcript) -> list[str]:
    return [fields[b"text"].decode() for _, fields in redis.xrange(key)]


def publish(redis: Redis, num: int = 1) -> list[str]:
    return [redis.xadd(STREAM, {"text": "hi"}).decode() for _ in range(num)]


def mark(redis: Redis) -> str:
    found = marked(redis, STREAM)
    assert found is not None
    return found.mark


def group(redis: Redis) -> dict[str, Any]:
    [only] = redis.xinfo_groups(STREAM)
    return {name: only[name] for name in ("name", "last-delivered-id", "entries-read", "lag")}


def test_outputs_and_checkpoint_move_together(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    after = Checkpoint(
        entry_id="7-1",
        entries_read=3,
        status="closed",
        tokens_seen=40,
        snapshot="a.safetensors",
        request_id="6-0",
        views={"summary": {"covered": 30, "text": "é\ud800"}},
    )
    stored = committer.commit(
        lease, Checkpoint(), after, [said("one"), said("two"), Output(KEYS.summary, {"text": "S"})]
    )
    assert texts(redis) == ["one", "two"]
    assert texts(redis, KEYS.summary) == ["S"]
    assert stored == replace(after, num_commits=1) == Checkpoint.load(redis, STREAM)


def test_a_stream_without_commits_has_the_initial_checkpoint(redis: Redis, lease: Lease) -> None:
    assert Checkpoint.load(redis, STREAM) == Checkpoint()


def test_one_commit_builds_on_the_last(redis: Redis, lease: Lease, committer: Committer) -> None:
    now = Checkpoint()
    for text in ("a", "b", "c"):
        now = committer.commit(lease, now, now, [said(text)])
    assert texts(redis) == ["a", "b", "c"]


def test_the_group_shows_the_true_lag(redis: Redis, lease: Lease, committer: Committer) -> None:
    ids = publish(redis, 5)
    after = Checkpoint(entry_id=ids[1], entries_read=2, input=mark(redis))
    now = committer.commit(lease, Checkpoint(), after, [said("a")])
    expected = {
        "name": GROUP.encode(),
        "last-delivered-id": ids[1].encode(),
        "entries-read": 2,
        "lag": 3,
    }
    assert group(redis) == expected
    committer.commit(lease, now, replace(now, entry_id=ids[4], entries_read=5), [said("b")])
    assert group(redis)["lag"] == 0


def test_the_lag_is_nought_at_the_tip_whatever_was_counted(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    ids = publish(redis, 5)
    after = Checkpoint(entry_id=ids[4], entries_read=2, input=mark(redis))
    committer.commit(lease, Checkpoint(), after, [])
    assert group(redis)["lag"] == 0


def test_a_group_of_somebody_else_is_left_alone(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    """One of any name, the one that earlier versions of ours had among them."""
    [entry_id] = publish(redis)
    for name in ("weir", "cursor"):
        redis.xgroup_create(STREAM, name, "0")
        redis.xreadgroup(name, "somebody", {STREAM: ">"})
    before = [redis.xpending(STREAM, name) for name in ("weir", "cursor")]
    after = Checkpoint(entry_id=entry_id, entries_read=1, input=mark(redis))
    committer.commit(lease, Checkpoint(), after, [said("a")])
    assert [redis.xpending(STREAM, name) for name in ("weir", "cursor")] == before
    assert len(redis.xinfo_groups(STREAM)) == 3


def test_whoever_reads_through_our_group_is_no_mark(redis: Redis, lease: Lease) -> None:
    publish(redis)
    own = mark(redis)
    for name in ("a", "mario", "z"):
        redis.xgroup_createconsumer(STREAM, GROUP, name)
    assert mark(redis) == own


def test_a_mark_outlives_a_rename_and_a_dump_and_not_a_deletion(redis: Redis) -> None:
    publish(redis)
    own = mark(redis)
    redis.rename(STREAM, "elsewhere")
    redis.rename("elsewhere", STREAM)
    assert mark(redis) == own
    dump = redis.dump(STREAM)
    redis.delete(STREAM)
    assert marked(redis, STREAM) is None
    redis.restore(STREAM, 0, dump)
    assert mark(redis) == own
    redis.delete(STREAM)
    publish(redis)
    assert mark(redis) != own


def test_what_was_read_of_a_deleted_input_is_told_and_the_input_not_made_again(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    """Before its first commit, and after."""
    [entry_id] = publish(redis)
    after = Checkpoint(entry_id=entry_id, entries_read=1, input=mark(redis))
    redis.delete(STREAM)
    now = committer.commit(lease, Checkpoint(), after, [said("a")])
    committer.commit(lease, now, now, [said("b")])
    assert texts(redis) == ["a", "b"]
    assert not redis.exists(STREAM)


@pytest.mark.parametrize("has_mark", [True, False])
def test_what_was_read_of_an_input_is_not_told_of_another_one(
    redis: Redis, lease: Lease, committer: Committer, has_mark: bool
) -> None:
    """Ids do not tell them apart: the next one's are higher, or the very same."""
    first = redis.xadd(STREAM, {"text": "hi"}, id="5-0").decode()
    now = Checkpoint(entry_id=first, entries_read=1, input=mark(redis))
    now = committer.commit(lease, Checkpoint(), now, [said("a")])
    redis.delete(STREAM)
    redis.xadd(STREAM, {"text": "hi"}, id=first)
    other = redis.xadd(STREAM, {"text": "hi"}, id="6-0").decode()
    if has_mark:
        mark(redis)
    for entry_id in (first, other):
        with pytest.raises(StaleOwner, match="another has its name"):
            committer.commit(lease, now, replace(now, entry_id=entry_id), [said("b")])
    assert texts(redis) == ["a"]


@pytest.mark.parametrize("entry_id", ["7-1", "8-0", "10-0", f"{2**63}-0", f"7-{2**62}"])
def test_an_entry_that_the_server_does_not_have_any_more_is_not_told(
    redis: Redis, lease: Lease, committer: Committer, entry_id: str
) -> None:
    redis.xadd(STREAM, {"text": "hi"}, id="7-0")
    now = Checkpoint(entry_id="7-0", entries_read=1, input=mark(redis))
    now = committer.commit(lease, Checkpoint(), now, [said("a")])
    with pytest.raises(StaleOwner, match="lost entries"):
        committer.commit(lease, now, replace(now, entry_id=entry_id), [said("b")])
    assert texts(redis) == ["a"]


def test_an_entry_that_was_lost_is_not_told_when_others_have_come_after_it(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    redis.xadd(STREAM, {"text": "hi"}, id="7-0")
    now = Checkpoint(entry_id="7-0", entries_read=1, input=mark(redis))
    now = committer.commit(lease, Checkpoint(), now, [said("a")])
    redis.xadd(STREAM, {"text": "what came instead of 8-0"}, id="9-0")
    for lost in (Checkpoint("8-0", 2, input=now.input), Checkpoint("9-0", 3, input=now.input)):
        with pytest.raises(StaleOwner, match="lost entries"):
            committer.commit(lease, now, lost, [said("b")])
    committer.commit(lease, now, replace(now, entry_id="9-0", entries_read=2), [said("c")])
    assert texts(redis) == ["a", "c"]


@pytest.mark.parametrize("is_trimmed", [True, False], ids=["trimmed", "deleted"])
def test_an_entry_that_was_read_is_told_although_it_was_trimmed_away_or_deleted_since(
    redis: Redis, lease: Lease, committer: Committer, is_trimmed: bool
) -> None:
    ids = publish(redis, 3)
    read = Checkpoint(entry_id=ids[1], entries_read=2, input=mark(redis))
    if is_trimmed:
        redis.xtrim(STREAM, minid=ids[2], approximate=False)
    else:
        redis.xdel(STREAM, ids[1])
    committer.commit(lease, Checkpoint(), read, [said("a"), said("b")])
    assert texts(redis) == ["a", "b"]


def test_an_input_that_is_no_stream_any_more_does_not_stop_the_commit(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    redis.set(STREAM, "something else")
    committer.commit(lease, Checkpoint(), Checkpoint(entry_id="5-0"), [said("a")])
    assert texts(redis) == ["a"]


def test_a_commit_extends_the_lease(redis: Redis, lease: Lease, committer: Committer) -> None:
    redis.pexpire(KEYS.lease, 100)
    committer.commit(lease, Checkpoint(), Checkpoint(), [])
    assert redis.pttl(KEYS.lease) > 1000


def test_outputs_can_be_kept_short(redis: Redis, lease: Lease, committer: Committer) -> None:
    now = Checkpoint()
    for _ in range(10):
        now = committer.commit(lease, now, now, [said("x", maxlen=100)] * 100)
    assert 100 <= redis.xlen(KEYS.transcript) < 300


def test_bytes_that_are_not_utf_8_pass_through(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    kept = b"\xff\x00\xfe".decode("utf-8", "surrogateescape")
    committer.commit(lease, Checkpoint(), Checkpoint(), [Output(KEYS.transcript, {"blob": kept})])
    [(_, fields)] = redis.xrange(KEYS.transcript)
    assert fields == {b"blob": b"\xff\x00\xfe"}


def test_an_old_owner_is_refused(redis: Redis, lease: Lease, committer: Committer) -> None:
    redis.delete(KEYS.lease)
    Leases(redis, "ben", lease_seconds=10).acquire(STREAM)
    with pytest.raises(StaleOwner, match="another"):
        committer.commit(lease, Checkpoint(), Checkpoint(entry_id="1-0"), [said("a")])
    assert texts(redis) == []
    assert redis.get(KEYS.lease) == b"ben"


def test_a_released_lease_cannot_commit(redis: Redis, lease: Lease, committer: Committer) -> None:
    Leases(redis, "ana", lease_seconds=10).release(lease)
    with pytest.raises(StaleOwner):
        committer.commit(lease, Checkpoint(), Checkpoint(), [said("a")])
    assert not redis.exists(KEYS.lease)


def test_a_commit_on_another_checkpoint_is_refused(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    committer.commit(lease, Checkpoint(), Checkpoint(), [said("a")])
    with pytest.raises(StaleOwner, match="checkpoint"):
        committer.commit(lease, Checkpoint(), Checkpoint(), [said("b")])
    assert texts(redis) == ["a"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda redis: redis.set(KEYS.summary, "not a stream"), "WRONGTYPE"),
        (lambda redis: redis.xadd(KEYS.summary, {"text": "S"}, id=LAST_ID), "last possible ID"),
    ],
    ids=["no stream", "ids exhausted"],
)
def test_nothing_is_written_when_one_output_cannot_be(
    redis: Redis,
    lease: Lease,
    committer: Committer,
    spoil: Callable[[Redis], object],
    says: str,
) -> None:
    before = committer.commit(lease, Checkpoint(), Checkpoint(), [said("before")])
    spoil(redis)
    outputs = [said("a"), said("b", maxlen=9), Output(KEYS.summary, {"text": "S"})]
    with pytest.raises(ResponseError, match=rf"{says}.*\({KEYS.summary}\)"):
        committer.commit(lease, before, replace(before, entry_id="1-0"), outputs)
    assert texts(redis) == ["before"]
    assert Checkpoint.load(redis, STREAM) == before


def test_the_script_is_sent_again_to_a_server_that_has_forgotten_it(
    redis: Redis, lease: Lease, committer: Committer
) -> None:
    redis.script_flush()
    committer.commit(lease, Checkpoint(), Checkpoint(), [said("a")])
    assert texts(redis) == ["a"]


def test_a_lost_reply_that_redis_py_retries_publishes_once(
    redis: Redis, lease: Lease, proxy: LossyProxy
) -> None:
    with Redis.from_url(proxy.url, protocol=2, retry=Retry(NoBackoff(), 3)) as client:
        committer = Committer(client, lease_seconds=10)
        now = committer.commit(lease, Checkpoint(), Checkpoint(), [said("a")])
        proxy.lose_next("reply")
        now = committer.commit(lease, now, now, [said("b")])
        committer.commit(lease, now, now, [said("c")])
    assert proxy.has_lost_all
    assert texts(redis) == ["a", "b", "c"]


# Any owners, takeovers, lost replies and retries.

_OWNERS = ("ana", "ben", "cem")


@dataclass
class Attempt:
    """A commit; `accepted` is what it led to, None if it has not been carried out."""

    lease: Lease
    before: Checkpoint
    after: Checkpoint
    texts: list[str]
    accepted: Checkpoint | None = None


@dataclass
class Owner:
    """A worker as it sees itself: it may be wrong about everything."""

    leases: Leases
    committer: Committer
    lease: Lease | None = None
    checkpoint: Checkpoint | None = None
    latest: Attempt | None = None  # its latest commit, which it may make again


class CommitMachine(RuleBasedStateMachine):
    """The model: the texts that must have been published, in order, and the last commit."""

    server: EmbeddedServer

    @initialize()
    def start(self) -> None:
        self.proxy = LossyProxy(self.server.port)
        self.redis = Redis.from_url(self.server.url, protocol=2)
        self.redis.flushall()
        self.input = iter(publish(self.redis, 60))
        self.last = Checkpoint(input=mark(self.redis))
        self.client = Redis.from_url(self.proxy.url, protocol=2, retry=Retry(NoBackoff(), 0))
        self.owners = {name: self.new_owner(name) for name in _OWNERS}
        self.published: list[str] = []
        self.epoch = 0
        self.num_made = 0

    def new_owner(self, name: str) -> Owner:
        committer = Committer(self.client, lease_seconds=10)
        return Owner(Leases(self.client, name, lease_seconds=10), committer)

    @rule(name=st.sampled_from(_OWNERS))
    def take(self, name: str) -> None:
        owner = self.owners[name]
        holder = self.redis.get(KEYS.lease)
        lease = owner.leases.acquire(STREAM)
        assert (lease is not None) == (holder is None or holder.decode() == name)
        if lease is not None:
            assert lease.epoch >= self.epoch
            self.epoch = lease.epoch
            owner.lease, owner.checkpoint = lease, Checkpoint.load(self.redis, STREAM)
            owner.latest = None

    @rule()
    def run_out(self) -> None:
        self.redis.delete(KEYS.lease)

    @rule(name=st.sampled_from(_OWNERS))
    def renew(self, name: str) -> None:
        owner = self.owners[name]
        if owner.lease is not None:
            is_lost = owner.lease.epoch != self.epoch
            refused = {owner.lease: "taken"} if is_lost else {}
            assert owner.leases.renew({owner.lease: 0}) == refused

    @rule(name=st.sampled_from(_OWNERS))
    def release(self, name: str) -> None:
        owner = self.owners[name]
        if owner.lease is not None:
            owner.leases.release(owner.lease)
            self.epoch += owner.lease.epoch == self.epoch

    @rule(
        name=st.sampled_from(_OWNERS),
        num_outputs=st.integers(1, 3),
        advances=st.booleans(),
        lost=st.sampled_from(["", "", "request", "reply"]),
    )
    def commit(self, name: str, num_outputs: int, advances: bool, lost: str) -> None:
        owner = self.owners[name]
        if owner.lease is None or owner.checkpoint is None:
            return
        before = owner.checkpoint
        after = replace(before, entry_id=next(self.input)) if advances else before
        new_texts = [self.new_text(name) for _ in range(num_outputs)]
        owner.latest = Attempt(owner.lease, before, after, new_texts)
        if lost:
            self.client.ping()
            self.proxy.lose_next(lost)
            if lost == "reply":
                self.is_accepted(owner.latest)
            with pytest.raises(ConnectionError):
                self.send(owner)
        else:
            self.settle(owner)

    @precondition(lambda self: any(owner.latest for owner in self.owners.values()))
    @rule(name=st.sampled_from(_OWNERS))
    def commit_again(self, name: str) -> None:
        """After something was lost, or for no reason at all."""
        if self.owners[name].latest is not None:
            self.settle(self.owners[name])

    def settle(self, owner: Owner) -> None:
        assert owner.latest is not None
        if self.is_accepted(owner.latest):
            owner.checkpoint = self.send(owner)
            assert owner.checkpoint == self.last
        else:
            with pytest.raises(StaleOwner):
                self.send(owner)
            owner.lease = owner.checkpoint = owner.latest = None

    def send(self, owner: Owner) -> Checkpoint:
        assert owner.latest is not None
        attempt = owner.latest
        outputs = [said(text) for text in attempt.texts]
        return owner.committer.commit(attempt.lease, attempt.before, attempt.after, outputs)

    def is_accepted(self, attempt: Attempt) -> bool:
        """The rule: carried out if owner and checkpoint are right, and then never again."""
        if attempt.accepted is None and (
            attempt.lease.epoch == self.epoch and attempt.before == self.last
        ):
            self.published += attempt.texts
            self.last = replace(attempt.after, num_commits=attempt.before.num_commits + 1)
            attempt.accepted = self.last
        return attempt.accepted == self.last

    def new_text(self, name: str) -> str:
        self.num_made += 1
        return f"{name} {self.num_made}"

    @invariant()
    def every_commit_was_published_once(self) -> None:
        assert texts(self.redis) == self.published

    @invariant()
    def the_checkpoint_is_the_last_commit(self) -> None:
        assert Checkpoint.load(self.redis, STREAM) == self.last
        if self.last.num_commits:
            assert group(self.redis)["last-delivered-id"].decode() == self.last.entry_id

    def teardown(self) -> None:
        if hasattr(self, "proxy"):
            self.client.close()
            self.redis.close()
            self.proxy.close()


def test_outputs_are_the_sequence_of_commits_made_once(redis_server: EmbeddedServer) -> None:
    CommitMachine.server = redis_server
    run_state_machine_as_test(
        CommitMachine, settings=settings(max_examples=60, stateful_step_count=30)
    )
