"""The names of a stream's keys. Pure.

Every key of stream K is `weir:{tag}...:<suffix>` and lies in K's Redis Cluster slot, so that one
Lua script may touch K and all of them:

* K without a hash tag of its own: `weir:{K}:transcript`.
* K with a non-empty tag (`user:{42}:talk`): that tag comes first, then K in full,
  `weir:{42}:user:{42}:talk:transcript`.
* K that cannot be a tag itself (it is empty, or has a `}` but no tag): a number whose slot is K's
  stands in for the tag, and K follows in full.

No two streams share a key: a suffix has no colon; with the suffix gone, the first form ends in the
name's first `}`, the other two go on with `:K` after it.
"""

from binascii import crc_hqx
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import count

PREFIX = "weir:"
NUM_CLUSTER_SLOTS = 16384


@dataclass(frozen=True)
class StreamKeys:
    """All keys that Weir writes for one input stream."""

    stream: str
    transcript: str
    summary: str
    notes: str
    memory: str
    rejected: str
    answers: str
    requests: str
    requested: str  # ids of requests already taken, for a while
    published: str  # how far each publisher of ours has got, for a while
    state: str  # hash: epoch and checkpoint
    live: str  # hash with a time to live: words that are not settled yet
    lease: str  # string with a time to live: the owner's name
    failing: str  # string with a time to live: why an owner has dropped the stream


@lru_cache(maxsize=4096)
def stream_keys(stream: str) -> StreamKeys:
    """The keys of the input key `stream`."""
    base = PREFIX + _base(stream)
    return StreamKeys(
        stream=stream,
        transcript=f"{base}:transcript",
        summary=f"{base}:summary",
        notes=f"{base}:notes",
        memory=f"{base}:memory",
        rejected=f"{base}:rejected",
        answers=f"{base}:answers",
        requests=f"{base}:requests",
        requested=f"{base}:requested",
        published=f"{base}:published",
        state=f"{base}:state",
        live=f"{base}:live",
        lease=f"{base}:lease",
        failing=f"{base}:failing",
    )


def is_own_key(key: str) -> bool:
    """Whether Weir itself writes this key; such a key is never taken for an input."""
    return key.startswith(PREFIX)


def is_matched(key: str, patterns: Iterable[str]) -> bool:
    """Whether a key matches one of these patterns, as Redis reads them."""
    return any(fnmatchcase(key, pattern.replace("[^", "[!")) for pattern in patterns)


def hash_tag(key: str) -> str | None:
    """What Redis Cluster hashes instead of the whole key; None: it hashes the whole key."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return tag if opened and closed and tag else None


def cluster_slot(key: str) -> int:
    """The Redis Cluster slot of a key (CRC-16/XMODEM of its tag or of all of it)."""
    hashed = hash_tag(key) or key
    return crc_hqx(hashed.encode(), 0) % NUM_CLUSTER_SLOTS


def _base(stream: str) -> str:
    tag = hash_tag(stream)
    if tag is not None:
        return f"{{{tag}}}:{stream}"
    if stream and "}" not in stream:
        return f"{{{stream}}}"
    return f"{{{_number_in_slot(cluster_slot(stream))}}}:{stream}"


def _number_in_slot(slot: int) -> str:
    return next(str(n) for n in count() if cluster_slot(str(n)) == slot)
