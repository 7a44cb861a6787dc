"""Who owns a stream: a lease that runs out, and an epoch that does not.

The lease (a key with a time to live) says only when others may take the stream. The right to write
is the epoch in the stream's state: it rises with each takeover and each release, never falls, and a
lease whose epoch is not the stream's may neither renew nor commit. The clock is Redis' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from worker.keyspace.keys import stream_keys

# A second acquire by the holder returns its lease again: the reply to the first may have been lost.
_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then return redis.call('HGET', KEYS[2], 'epoch') end
if holder then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return tostring(redis.call('HINCRBY', KEYS[2], 'epoch', 1))
"""

# A lease that ran out is renewed all the same while nobody else has taken the stream.
_RENEW = """
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[2], 'epoch', 1)
return redis.call('DEL', KEYS[1])
"""


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

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Hold them for another `lease_seconds`, all in one round trip; returns those that are
        lost: another has the stream."""
        if not leases:
            return []
        with self._redis.pipeline(transaction=False) as pipe:
            for lease in leases:
                args = (lease.owner, self._lease_ms, lease.epoch)
                self._renew(keys=_keys(lease.stream), args=args, client=pipe)
            held = pipe.execute()
        return [lease for lease, is_held in zip(leases, held, strict=True) if not is_held]

    def release(self, lease: Lease) -> None:
        """Give the stream back at once. A lease that is lost already is left alone."""
        self._release(keys=_keys(lease.stream), args=[lease.epoch])


def is_owned(redis: Redis, stream: str) -> bool:
    return bool(redis.exists(stream_keys(stream).lease))


def take_turn(redis: Redis, key: str, *, seconds: float) -> bool:
    """True for one caller among all that share a server, until `seconds` later."""
    return bool(redis.set(key, "", nx=True, px=max(1, int(seconds * 1000))))


def _keys(stream: str) -> list[str]:
    keys = stream_keys(stream)
    return [keys.lease, keys.state]
