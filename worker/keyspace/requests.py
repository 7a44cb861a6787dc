"""What people ask of a stream's owner: flush, ask, close, release. Redis keeps it until it is done.

A request is an entry of `weir:{K}:requests`; the owner reads it beside the input. Making one twice
with the same id leaves one entry, so whoever is unsure may make it again.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from redis import Redis

from worker.intake.entries import Rejected
from worker.keyspace.keys import stream_keys

Kind = Literal["flush", "ask", "close", "release"]

KINDS: tuple[Kind, ...] = get_args(Kind)
REMEMBERED_SECONDS = 24 * 3600
_MAX_KEPT = 1000

_REQUEST = """
local now = redis.call('TIME')[1]
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])
if redis.call('ZADD', KEYS[2], 'NX', now, ARGV[3]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*',
  'id', ARGV[3], 'kind', ARGV[4], 'question', ARGV[5], 'said', ARGV[6], 'cites', ARGV[7])
return 1
"""


@dataclass(frozen=True)
class Request:
    """One request as the owner reads it. `question` is "" unless the kind is "ask".

    said: lines that have to do with the question, from anywhere in the transcript; cites: their
    entries, blanks between them. entry_id: its place in `:requests`; id: the name its maker gave
    it, which the answer carries.
    """

    entry_id: str
    id: str
    kind: Kind
    question: str = ""
    said: str = ""
    cites: str = ""


def request(
    redis: Redis,
    stream: str,
    kind: Kind,
    *,
    question: str = "",
    said: str = "",
    cites: str = "",
    id: str | None = None,
) -> str:
    """Ask the owner of `stream` for something; returns the request's id (a new one if None).

    An id that was used on this stream in the last day does nothing. ValueError: an unknown kind, or
    an "ask" without a question.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}: must be one of {', '.join(KINDS)}")
    if (kind == "ask") != bool(question.strip()):
        raise ValueError('a question goes with kind="ask", and with no other kind')
    id = id or uuid.uuid4().hex
    keys = stream_keys(stream)
    script = redis.register_script(_REQUEST)
    limits = (REMEMBERED_SECONDS, _MAX_KEPT)
    asked = (question.strip(), said, cites)
    script(keys=[keys.requests, keys.requested], args=(*limits, id, kind, *asked))
    return id


def parse_request(entry_id: str, fields: Mapping[bytes, bytes]) -> Request | Rejected:
    """Read one entry of `:requests`, which somebody may have written by hand."""
    values = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
    kind, question = values.get(b"kind", ""), values.get(b"question", "").strip()
    if kind not in KINDS:
        return Rejected(entry_id, f"kind={kind!r} is not one of {', '.join(KINDS)}", dict(fields))
    if kind == "ask" and not question:
        return Rejected(entry_id, "ask without a question", dict(fields))
    said, cites = values.get(b"said", ""), values.get(b"cites", "")
    return Request(entry_id, values.get(b"id") or entry_id, kind, question, said, cites)
