"""Publishes outputs and moves the checkpoint, in one step of the server's (commit.lua).

However a worker dies, and however often a reply is lost, each commit happens once or not at all.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from redis import Redis

from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.inputs import INPUT_LUA
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Lease

_SCRIPT = INPUT_LUA + Path(__file__).with_name("commit.lua").read_text(encoding="utf-8")
_NUM_FIXED_KEYS = 3
_REFUSALS = {
    "epoch": "{lease.owner} had epoch {lease.epoch}, the stream has another, or another owner",
    "checkpoint": "the checkpoint is not where {lease.owner} left it",
    "input": "the input that was read was deleted, and another has its name",
    "beyond": "the server has lost entries that were read",
}


class StaleOwner(Exception):
    """The stream has moved on without this owner: drop the session, its work was not published."""


@dataclass(frozen=True)
class Output:
    """One entry to publish. `key` is one of the stream's own keys; `fields` has at least one field.

    maxlen: keep about this many entries in `key`; None keeps all.
    """

    key: str
    fields: Mapping[str, str]
    maxlen: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))


class Committer:
    """Commits for the owner of a stream; each commit also extends its lease."""

    def __init__(self, redis: Redis, *, lease_seconds: float) -> None:
        self._lease_ms = max(1, int(lease_seconds * 1000))
        self._script = redis.register_script(_SCRIPT)

    def commit(
        self, lease: Lease, before: Checkpoint, after: Checkpoint, outputs: Sequence[Output]
    ) -> Checkpoint:
        """Publish `outputs` and replace checkpoint `before` by `after`, together.

        Returns `after` as it is stored, with its `num_commits`: the `before` of the next commit.

        Raises StaleOwner if another has taken the stream, its checkpoint is not `before`, or the
        input is not what was read; nothing was published. After redis.ConnectionError or
        redis.TimeoutError nobody knows whether it happened: repeat the same call, it is recognised
        by its content and never made twice. redis.ResponseError (an output key is no stream,
        memory is full): nothing was published.
        """
        stored = replace(after, num_commits=before.num_commits + 1)
        keys = _keys(lease, outputs)
        change = _change(before, stored, outputs, keys)
        owner = (lease.owner, lease.epoch, self._lease_ms, _commit_id(lease, change))
        answer = bytes(self._script(keys=keys, args=(*owner, *change))).decode()
        if answer not in ("committed", "repeated"):
            raise StaleOwner(_refusal(answer, lease))
        return stored


def _keys(lease: Lease, outputs: Sequence[Output]) -> list[str]:
    keys = stream_keys(lease.stream)
    return [keys.state, keys.lease, lease.stream, *dict.fromkeys(output.key for output in outputs)]


def _change(
    before: Checkpoint, stored: Checkpoint, outputs: Sequence[Output], keys: Sequence[str]
) -> list[bytes]:
    """The script's arguments from the fifth on: all that makes one commit differ from another."""
    change = [before.entry_id, str(before.num_commits), *_counted(stored.to_fields())]
    position = {key: index for index, key in enumerate(keys, start=1) if index > _NUM_FIXED_KEYS}
    for output in outputs:
        change += [str(position[output.key]), str(output.maxlen or 0), *_counted(output.fields)]
    return [value.encode("utf-8", "surrogateescape") for value in change]


def _counted(fields: Mapping[str, str]) -> list[str]:
    flat = [part for name_and_value in fields.items() for part in name_and_value]
    return [str(len(flat)), *flat]


def _commit_id(lease: Lease, change: Sequence[bytes]) -> str:
    """A digest of who commits what where; each part goes in with its length."""
    digest = hashlib.blake2b(json.dumps([lease.owner, lease.epoch]).encode(), digest_size=16)
    for part in change:
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _refusal(reason: str, lease: Lease) -> str:
    return f"{lease.stream}: {_REFUSALS[reason].format(lease=lease)}"
