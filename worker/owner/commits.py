"""What streams have to commit, committed; and who is not to go on after a refusal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError, ResponseError

from worker.keyspace.committer import Committer, StaleOwner
from worker.keyspace.lease import Lease
from worker.keyspace.trouble import is_of_one_stream, is_passing, is_silence
from worker.stream.live_stream import LiveStream
from worker.stream.outbox import Commit
from worker.stream.snapshots import Snapshots
from worker.watch.logs import about
from worker.watch.metrics import Metrics

log = logging.getLogger(__name__)


class Commits:
    """A stream that may not commit is told of, once: it is another's, or it has failed."""

    def __init__(
        self,
        committer: Committer,
        snapshots: Snapshots,
        metrics: Metrics,
        *,
        taken: Callable[[LiveStream], None],
        failed: Callable[[LiveStream, Exception], None],
    ):
        self._committer = committer
        self._snapshots = snapshots
        self._metrics = metrics
        self._taken = taken
        self._failed = failed

    def of_each(self, streams: Iterable[LiveStream]) -> None:
        """One commit for each stream that has news.

        Raises what passes (`is_passing`): each stream then waits with its own commit. A refusal
        may be for one of them, and the others are tried; who does not answer is asked once, for
        each would wait as long. One whose keys are between two nodes waits alone."""
        trouble: RedisError | None = None
        for stream in streams:
            trouble = self._try(stream) or trouble
            if trouble and is_silence(trouble):
                break
        if trouble:
            raise trouble

    def _try(self, stream: LiveStream) -> RedisError | None:
        try:
            with about(stream.told):
                self.all_of(stream)
        except RedisError as error:
            return None if is_of_one_stream(error) else error
        return None

    def all_of(self, stream: LiveStream) -> bool:
        """Whether the stream is still ours and has nothing left to commit."""
        try:
            self._make(stream)
        except StaleOwner as error:
            self._metrics.commit_refused()
            log.warning("dropped: %s", error)
            self._taken(stream)
            return False
        except ResponseError as error:
            if is_passing(error):
                raise
            log.error("%s: dropped: %s", stream.name, error)
            self._failed(stream, error)
            return False
        return True

    def _make(self, stream: LiveStream) -> None:
        started = time.perf_counter()
        while commit := stream.commit(self._committer):
            self._metrics.committed(time.perf_counter() - started, commit.num_entries)
            if commit.after.snapshot != commit.before.snapshot:
                self._keep_only(commit, stream.outbox.lease)

    def _keep_only(self, commit: Commit, lease: Lease) -> None:
        kept, last = commit.after.snapshot, commit.before.snapshot
        try:
            self._snapshots.keep_only(kept, lease, last=last)
        except OSError as error:
            log.warning("%s: an old session could not be removed: %s", lease.stream, error)
