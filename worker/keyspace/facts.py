"""What Redis says about streams: who needs an owner, and how each is doing, is told from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.intake.entries import id_order
from worker.keyspace.inputs import INPUT_LUA, is_another
from worker.keyspace.keys import stream_keys
from worker.keyspace.trouble import is_of_one_stream, server_words

_ABOUT_A_KEY = ("WRONGTYPE", "no such key")
_STATE_FIELDS = ("entry_id", "status", "request_id", "tokens_seen", "entries_read", "input")
_MEMORY_FIELDS = ("window_fill", "window_size", "kv_bytes")
_LUA = INPUT_LUA + Path(__file__).with_name("facts.lua").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Facts:
    """What Redis says about one stream; `state` has the fields of _STATE_FIELDS that are there."""

    stream: str
    last_id: str  # that it has given
    num_added: int
    last_entry_id: str | None
    group_lag: int | None
    mark: str
    state: Mapping[str, str]
    owner: str | None
    is_failing: bool
    last_request_id: str
    memory: Mapping[str, int]
    summary_id: str | None

    @property
    def status(self) -> str:
        return "failing" if self.is_failing else self.state.get("status", "new")

    @property
    def entry_id(self) -> str:
        """Up to where it is settled. A stream that was made anew is not, whatever its name was."""
        return "0-0" if self.is_made_anew else self.state.get("entry_id", "0-0")

    @property
    def is_made_anew(self) -> bool:
        cursor, read_of = self.state.get("entry_id", "0-0"), self.state.get("input", "")
        return is_another(self.mark, self.last_id, read_of=read_of, cursor=cursor)

    @property
    def has_unread(self) -> bool:
        last = self.last_entry_id
        return last is not None and id_order(last) > id_order(self.entry_id)

    @property
    def needs_an_owner(self) -> bool:
        is_asked = id_order(self.last_request_id) > id_order(self.state.get("request_id", "0-0"))
        return self.has_unread or is_asked or self.state.get("status") == "live"

    @property
    def lag_entries(self) -> int:
        if not self.has_unread:
            return 0
        if self.is_made_anew:
            return self.num_added
        if self.group_lag is not None:
            return self.group_lag
        # No commit yet, or entries were deleted one by one and the server cannot tell.
        return max(1, self.num_added - int(self.state.get("entries_read", 0)))


def facts_of(redis: Redis, streams: Sequence[str]) -> list[Facts]:
    """One round trip. Without streams that are deleted meanwhile, have keys of a wrong type, or are
    on their way to another node."""
    script = redis.register_script(_LUA)
    pipe = redis.pipeline(transaction=False)
    for stream in streams:
        k = stream_keys(stream)
        keys = (stream, k.state, k.lease, k.failing, k.requests, k.memory, k.summary)
        script(keys=keys, args=(len(_STATE_FIELDS), *_STATE_FIELDS, *_MEMORY_FIELDS), client=pipe)
    found = zip(streams, pipe.execute(raise_on_error=False), strict=True)
    return [_read(stream, reply) for stream, reply in found if not _is_of_no_stream(reply)]


def _is_of_no_stream(reply: Any) -> bool:
    """Whether the key is gone, or of a wrong type. All other errors are about us or the server, and
    raised: what may not be seen is not told as if it were not there."""
    if is_of_one_stream(reply):
        return True
    if isinstance(reply, ResponseError) and not server_words(reply).startswith(_ABOUT_A_KEY):
        raise reply
    return isinstance(reply, ResponseError)


def _read(stream: str, reply: Sequence[Any]) -> Facts:
    state, last_id, num_added, last, lag, mark, owner, failing, request, memory, summary = reply
    return Facts(
        stream=stream,
        last_id=last_id.decode(),
        num_added=num_added,
        last_entry_id=_text(last),
        group_lag=lag,
        mark=mark.decode("utf-8", "replace"),
        state={n: v.decode() for n, v in zip(_STATE_FIELDS, state, strict=True) if v is not None},
        owner=_text(owner),
        is_failing=bool(failing),
        last_request_id=_text(request) or "0-0",
        memory={n: int(v) for n, v in zip(_MEMORY_FIELDS, memory, strict=True) if v is not None},
        summary_id=_text(summary),
    )


def _text(reply: bytes | None) -> str | None:
    return None if reply is None else reply.decode()


def oldest_unread(redis: Redis, facts: Sequence[Facts]) -> dict[str, str]:
    """The id of the oldest unread entry of each stream that has one."""
    behind = [fact for fact in facts if fact.has_unread]
    pipe = redis.pipeline(transaction=False)
    for fact in behind:
        pipe.xrange(fact.stream, min=f"({fact.entry_id}", count=1)
    replies = pipe.execute(raise_on_error=False)
    return {
        fact.stream: found[0][0].decode()
        for fact, found in zip(behind, replies, strict=True)
        if not _is_of_no_stream(found) and found
    }
