"""How far a stream has got, as its owner last committed it. It is read here, written by commit.lua.

It is a hash at `weir:{K}:state`, one field per attribute; `views` is JSON. Other fields of that
hash (`epoch`, `owner`, `commit_id`) belong to the lease and to the commit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from redis import Redis

from worker.keyspace.frozen import FrozenMapping, plain
from worker.keyspace.keys import stream_keys

# parked: given back with nothing unread and nothing unsummarised; needs no owner until text comes.
Status = Literal["live", "parked", "closed"]


@dataclass(frozen=True)
class Checkpoint:
    """Everything up to and including `entry_id` is in the outputs, and nothing after it.

    entries_read: entries from the stream's first ever to `entry_id`, read or trimmed away unread.
    snapshot: name of the saved session, "" if there is none. request_id: the last entry of
    `:requests` that was carried out. tokens_seen: position after the last line of the transcript.
    views: one small JSON object per view, as they were when they were given here. input: the mark
    of the input that the cursor counts in (`inputs`), "" if there was none yet. num_commits:
    counted by the committer, nobody else.
    """

    entry_id: str = "0-0"
    entries_read: int = 0
    status: Status = "live"
    tokens_seen: int = 0
    snapshot: str = ""
    request_id: str = "0-0"
    views: Mapping[str, Any] = field(default_factory=dict)
    input: str = ""
    num_commits: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", FrozenMapping(self.views))

    @classmethod
    def load(cls, redis: Redis, stream: str) -> "Checkpoint":
        """The stream's checkpoint; the initial one if it has never had a commit."""
        return cls.from_fields(redis.hgetall(stream_keys(stream).state))

    @classmethod
    def from_fields(cls, stored: Mapping[Any, Any]) -> "Checkpoint":
        """Read the hash as redis-py returns it, with or without decode_responses."""
        fields = {_text(name): _text(value) for name, value in stored.items()}
        if "num_commits" not in fields:
            return cls(input=fields.get("input", ""))
        return cls(
            entry_id=fields["entry_id"],
            entries_read=int(fields["entries_read"]),
            status=cast(Status, fields["status"]),
            tokens_seen=int(fields["tokens_seen"]),
            snapshot=fields["snapshot"],
            request_id=fields["request_id"],
            views=json.loads(fields["views"]),
            input=fields.get("input", ""),  # earlier versions knew none
            num_commits=int(fields["num_commits"]),
        )

    def to_fields(self) -> dict[str, str]:
        """The hash fields: every attribute, as strings. `from_fields` reads them back equal."""
        return {
            "entry_id": self.entry_id,
            "entries_read": str(self.entries_read),
            "status": self.status,
            "tokens_seen": str(self.tokens_seen),
            "snapshot": self.snapshot,
            "request_id": self.request_id,
            "views": json.dumps(plain(self.views), separators=(",", ":")),
            "input": self.input,
            "num_commits": str(self.num_commits),
        }


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
