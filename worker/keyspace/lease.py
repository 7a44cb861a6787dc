"""Who owns a stream: a lease that runs out, and an epoch that does not.

The lease (a key with a time to live) says only when others may take the stream. The right to write
is the epoch in the stream's state, together with the owner's name: the epoch rises with each
takeover and each release, and a lease that is not the stream's may neither renew nor commit. A
server that has lost its last writes counts the same epoch twice, and the name tells the two apart.

The clock is Redis' own. When it is put back, a lease would last for as long as it was put back by:
whoever looks for streams without an owner cuts such leases down (`seconds_left`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from redis import Redis

from worker.keyspace.cluster import whole_replies
from worker.keyspace.keys import stream_keys

# A second acquire by the holder returns its lease again: the reply to the first may have been lost.
_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
local state = redis.call('HMGET', KEYS[2], 'epoch', 'owner')
if holder and state[2] == ARGV[1] then return state[1] end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'owner', ARGV[1], 'lease_ms', ARGV[2])
return tostring(redis.call('HINCRBY', KEYS[2], 'epoch', 1))
"""

# A lease that ran out is renewed all the same while nobody else has taken the stream. The server
# may have more commits than its owner knows of (a reply was lost), but never fewer.
_RENEW = """
local state = redis.call('HMGET', KEYS[2], 'epoch', 'owner', 'num_commits')
if state[1] ~= ARGV[3] or state[2] ~= ARGV[1] then return 'taken' end
if tonumber(state[3] or 0) < tonumber(ARGV[4]) then return 'older' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'held'
"""

_RELEASE = """
local state = redis.call('HMGET', KEYS[2], 'epoch', 'owner')
if state[1] ~= ARGV[1] or state[2] ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[2], 'epoch', 1)
return redis.call('DEL', KEYS[1])
"""

# No lease lasts longer than its owner took it for. One that does was given before the server's
# clock was put back, or somebody took its end away.
_CUT = """
local longest = tonumber(redis.call('HGET', KEYS[2], 'lease_ms') or ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left == -1 or left > longest then redis.call('PEXPIRE', KEYS[1], longest) end
return redis.call('PTTL', KEYS[1])
"""

# The value is how long it was taken for. One that lasts longer is of before the clock was put back.
_TURN = """
local longest = tonumber(redis.call('GET', KEYS[1]) or '') or tonumber(ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left == -1 or left > longest then redis.call('DEL', KEYS[1]) end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[1])
"""

# taken: another has the stream; older: the server has lost commits that it had answered.
Refusal = Literal["taken", "older"]


_NO_LEASE, _NO_END = -2, -1  # what PTTL says


@dataclass(frozen=True)
class Lease:
    """The right of `owner` to write the outputs of `stream`, until a higher epoch exists."""

    stream: str
    owner: str
    epoch: int


class Leases:
    """Takes, keeps and gives back streams in the name of one owner.

    `owner` must be new for every process (host, pid and something random): a restarted worker is
    another owner.
    """

    def __init__(self, redis: Redis, owner: str, *, lease_seconds: float) -> None:
        self._redis = redis
        self._owner = owner
        self._lease_ms = max(1, int(lease_seconds * 1000))
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    def acquire(self, stream: str) -> Lease | None:
        """Take the stream if nobody holds it; None if somebody does. Raises the epoch."""
        epoch = self._acquire(keys=_keys(stream), args=[self._owner, self._lease_ms])
        return None if epoch is None else Lease(stream, self._owner, int(epoch))

    def renew(self, num_commits: Mapping[Lease, int]) -> dict[Lease, Refusal]:
        """Hold them for another `lease_seconds`, all in one round trip; returns those that are
        lost. One whose keys are between two nodes can be neither held nor taken meanwhile.
        num_commits: how many commits of each stream its owner knows of."""
        if not num_commits:
            return {}
        with self._redis.pipeline(transaction=False) as pipe:
            for lease, num in num_commits.items():
                args = (lease.owner, self._lease_ms, lease.epoch, num)
                self._renew(keys=_keys(lease.stream), args=args, client=pipe)
            answers = [answer.decode() for answer in whole_replies(pipe, moving=b"held")]
        refused = zip(num_commits, answers, strict=True)
        return {lease: cast(Refusal, answer) for lease, answer in refused if answer != "held"}

    def release(self, lease: Lease) -> None:
        """Give the stream back at once. A lease that is lost already is left alone."""
        self._release(keys=_keys(lease.stream), args=[lease.epoch, lease.owner])


def process_of(owner: str) -> str:
    """`host:pid` of an owner's name; what follows tells apart the owners of one process."""
    return ":".join(owner.split(":")[:2])


def is_owned(redis: Redis, stream: str) -> bool:
    return bool(redis.exists(stream_keys(stream).lease))


def owner_of(redis: Redis, stream: str) -> str | None:
    name = cast(bytes | None, redis.get(stream_keys(stream).lease))
    return None if name is None else name.decode()


def seconds_left(
    redis: Redis, streams: Sequence[str], *, usual_seconds: float
) -> dict[str, float | None]:
    """How long each is still owned, if nobody renews it; None if it is not. Leases that last longer
    than any should are cut down to their length; `usual_seconds` is how long most are."""
    pipe = redis.pipeline(transaction=False)
    for stream in streams:
        pipe.pttl(stream_keys(stream).lease)
    left = dict(zip(streams, pipe.execute(), strict=True))
    usual_ms = max(1, int(usual_seconds * 1000))
    cut = redis.register_script(_CUT)
    for stream, left_ms in left.items():
        if left_ms == _NO_END or left_ms > usual_ms:
            left[stream] = cut(keys=_keys(stream), args=[usual_ms])
    return {s: None if ms == _NO_LEASE else max(0.001, ms / 1000) for s, ms in left.items()}


def take_turn(redis: Redis, key: str, *, seconds: float) -> bool:
    """True for one caller among all that share a server, until `seconds` later."""
    turn = redis.register_script(_TURN)
    return bool(turn(keys=[key], args=[max(1, int(seconds * 1000))]))


def prolong_turn(redis: Redis, key: str, *, seconds: float) -> None:
    """From now on, if it is still somebody's."""
    milliseconds = max(1, int(seconds * 1000))
    redis.set(key, milliseconds, px=milliseconds, xx=True)


def _keys(stream: str) -> list[str]:
    keys = stream_keys(stream)
    return [keys.lease, keys.state]
