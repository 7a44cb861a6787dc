"""Where in its input a stream goes on: what its checkpoint says, held against what the server has.

Three things can be different from what was read. The input may have lost its last entries with the
server: the stream goes on after those that are left, and says so. It may have been deleted and made
anew: what was said before has ended, and the new one is read from its start. Or it is not there:
then there is nothing to read until somebody writes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice

from redis import Redis

from worker.intake.entries import id_order
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.committer import Committer
from worker.keyspace.history import all_newest_first
from worker.keyspace.inputs import Input, is_another, marked, num_absent
from worker.keyspace.keys import stream_keys
from worker.keyspace.lease import Lease
from worker.stream.kit import Kit
from worker.stream.outbox import Outbox
from worker.stream.outputs import Outputs

log = logging.getLogger(__name__)

TOLD_LATELY = 1000  # entries of `:rejected` among which one is looked for that may be there


@dataclass(frozen=True)
class Reached:
    """How far an input was read, whether or not that was published: its mark, the last entry, and
    how many there were up to it. unpublished: the ids of those that are not committed yet;
    read_lately: of these and of the last ones that are, for a server may lose its commits too.
    may_be_told: it was tried before to tell what is missing, and nobody knows how that ended."""

    mark: str
    entry_id: str
    num_read: int
    unpublished: tuple[str, ...] = ()
    read_lately: tuple[str, ...] = ()
    may_be_told: bool = False

    def is_in(self, mark: str, last_id: str) -> bool:
        """Whether the input that is there now is the one that was read, with all of that."""
        return mark == self.mark and id_order(last_id) >= id_order(self.entry_id)


@dataclass(frozen=True)
class Standing:
    """is_the_same: False if what was read is no more, and another input has its name. is_gone: all
    keys of a stream are that was owned here."""

    outbox: Outbox
    is_the_same: bool
    is_gone: bool


def stand(
    kit: Kit, redis: Redis, committer: Committer, lease: Lease, reached: Reached | None
) -> Standing:
    """Where the stream goes on. What is missing is told here and now, in a commit of its own: it
    needs no row, and whatever becomes of the stream next, nobody else would know of it.

    reached: how far this worker has read the stream already, if it has. Raises StaleOwner and
    redis' errors."""
    outbox = Outbox(lease, Checkpoint.load(redis, lease.stream))
    found = marked(redis, lease.stream)
    is_the_same = place(outbox, found)
    told = missing(redis, outbox, found, reached)
    if told and not (reached and reached.may_be_told and _is_told(redis, lease.stream, told)):
        Outputs(kit.settings, outbox).rejected(told)
        # Whoever goes on from this commit must know that what was said before is over.
        views = outbox.checkpoint.views
        outbox.commit(committer, views if is_the_same else {**views, "ended": True})
        kit.metrics.rejected(told["notice"])
        log.warning("%s: %s", lease.stream, told["reason"])
    is_gone = found is None and reached is not None and not outbox.checkpoint.num_commits
    return Standing(outbox, is_the_same, is_gone)


def _is_told(redis: Redis, stream: str, told: dict[str, str]) -> bool:
    lately = islice(all_newest_first(redis, stream_keys(stream).rejected), TOLD_LATELY)
    return any(fields == told for fields in lately)


def notice(kind: str, entry_id: str, text: str) -> dict[str, str]:
    """What goes to `:rejected` when entries are missing that nobody can read any more: they come
    after `entry_id`."""
    return {"notice": kind, "entry_id": entry_id, "reason": f"{kind}: {text}", "raw": "{}"}


def place(outbox: Outbox, found: Input | None) -> bool:
    """Sets the cursor to where reading goes on; False if what was read is no more, and another
    input has its name."""
    checkpoint = outbox.checkpoint
    if found is None:
        return True
    outbox.advance(input=found.mark)
    read_of, cursor = checkpoint.input, checkpoint.entry_id
    if is_another(found.mark, found.last_id, read_of=read_of, cursor=cursor):
        log.warning("%s: it was deleted and made anew; read from its start", outbox.lease.stream)
        outbox.advance(entry_id="0-0", entries_read=0)
        return False
    if _is_cut(found, cursor):
        num_read = min(checkpoint.entries_read, found.num_added)
        outbox.advance(entry_id=found.last_id, entries_read=num_read)
    return True


def missing(
    redis: Redis, outbox: Outbox, found: Input | None, reached: Reached | None
) -> dict[str, str] | None:
    """The notice of entries that are gone although they had been read; None if there are none.
    `reached`: how far an owner of ours had read them, if it is known."""
    checkpoint = outbox.checkpoint
    reached = reached or Reached(checkpoint.input, checkpoint.entry_id, checkpoint.entries_read)
    if found is None or not reached.mark:
        return None
    if found.mark == reached.mark and _is_cut(found, reached.entry_id):
        num = max(1, reached.num_read - found.num_added)
        text = f"the server has lost {num} entries that had been read (up to {reached.entry_id})"
        return notice("lost", found.last_id, text)
    if found.mark == reached.mark:
        # Those that were read are gone, and others have come after those that are left.
        known = max(id_order(found.removed_until), id_order(checkpoint.entry_id))
        kept = [entry_id for entry_id in reached.read_lately if id_order(entry_id) > known]
        if num := num_absent(redis, outbox.lease.stream, kept):
            text = f"the server has lost {num} entries that had been read (up to {kept[-1]})"
            return notice("lost", checkpoint.entry_id, text)
        return None
    if num := num_absent(redis, outbox.lease.stream, reached.unpublished):
        text = (
            f"{num} entries were deleted with their stream before they were published (up to "
            f"{reached.unpublished[-1]})"
        )
        return notice("deleted", checkpoint.entry_id, text)
    return None


def _is_cut(found: Input, cursor: str) -> bool:
    return id_order(found.last_id) < id_order(cursor)
