"""What one stream's owner has ready to be published, and the checkpoint that goes with it.

Invariant: outputs and the checkpoint that accounts for them are handed to the committer together,
in the order in which they were put here. A commit whose reply was lost is tried again unchanged,
for the committer knows it by its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer, Output
from worker.keyspace.lease import Lease


@dataclass(frozen=True)
class Commit:
    """One attempt; `after` is not yet stored."""

    before: Checkpoint
    after: Checkpoint
    outputs: tuple[Output, ...]

    @property
    def num_entries(self) -> int:
        """Nought where the count goes back: the stream was made anew."""
        return max(0, self.after.entries_read - self.before.entries_read)


class Outbox:
    """`checkpoint` is what Redis has; `next` is what the next commit will make of it."""

    def __init__(self, lease: Lease, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self.next = checkpoint
        self.lease = lease
        self._outputs: list[Output] = []
        self._tried: Commit | None = None

    def publish(self, key: str, fields: Mapping[str, str], maxlen: int | None = None) -> None:
        self._outputs.append(Output(key, fields, maxlen))

    def advance(self, **changes: Any) -> None:
        """Changes fields of the checkpoint to come."""
        self.next = replace(self.next, **changes)

    @property
    def is_empty(self) -> bool:
        return self._tried is None and not self._outputs and self.next == self.checkpoint

    @property
    def is_stuck(self) -> bool:
        """A commit was tried and is not known to have happened: take nothing more in."""
        return self._tried is not None

    def commit(self, committer: Committer, views: Mapping[str, Any]) -> Commit | None:
        """Makes one commit if there is anything to commit, and returns it.

        Raises StaleOwner (drop the stream), redis.ConnectionError and TimeoutError (call again).
        """
        if self.is_empty:
            return None
        if self._tried is None:
            self.advance(views=views)
            self._tried = Commit(self.checkpoint, self.next, tuple(self._outputs))
            self._outputs.clear()
        tried = self._tried
        self.checkpoint = committer.commit(self.lease, tried.before, tried.after, tried.outputs)
        self.advance(num_commits=self.checkpoint.num_commits)
        self._tried = None
        return tried
