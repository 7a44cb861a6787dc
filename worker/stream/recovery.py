"""How an owner takes a stream up where the last one left it.

The committed transcript is the record of what belongs in the window. A snapshot saves the time of
computing it again; without one, the last window's worth of the transcript is fed again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from redis import Redis

from engine import Session, SnapshotError
from worker.intake.feed import Feed, Line
from worker.keyspace.checkpoint import Checkpoint
from worker.keyspace.history import newest_first
from worker.keyspace.keys import stream_keys
from worker.keyspace.registry import has_news
from worker.stream.kit import Kit
from worker.stream.live_stream import LiveStream
from worker.stream.outbox import Outbox
from worker.stream.snapshots import Snapshots
from worker.stream.standing import Standing
from worker.views.notes.notebook import Notebook

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlacedLine:
    """A published line and the position of its first token."""

    line: Line
    start: int


def open_stream(
    kit: Kit, redis: Redis, snapshots: Snapshots, standing: Standing
) -> LiveStream | None:
    """None if nothing is left to do: the message to adopt it came late, or twice, or all keys of
    the stream are gone. Raises engine.NoFreeRow and redis' errors; no row is taken then."""
    outbox = standing.outbox
    if standing.is_gone or _rests(redis, outbox):
        return None
    is_new = outbox.checkpoint.status == "closed" or "summary" not in outbox.checkpoint.views
    outbox.advance(status="live")
    if is_new:
        return _begin(kit, outbox)
    stream = _take_up(kit, redis, snapshots, outbox)
    if not standing.is_the_same:
        stream.end_here(is_followed=True)
    return stream


def _take_up(kit: Kit, redis: Redis, snapshots: Snapshots, outbox: Outbox) -> LiveStream:
    """In the middle of its life, with its saved window or without."""
    lease = outbox.lease
    lines = BackwardReader(kit, redis, stream_keys(lease.stream).transcript, outbox.checkpoint)
    session = _saved_session(kit, snapshots, outbox.checkpoint)
    if session is not None:
        try:
            resumed = _resume(kit, outbox, session, lines)
        except Exception:
            kit.engine.close(session)
            raise
        if resumed is not None:
            return resumed
        log.warning("%s: its snapshot does not fit its transcript", lease.stream)
        kit.engine.close(session)
    return _rebuild(kit, outbox, lines)


def _rests(redis: Redis, outbox: Outbox) -> bool:
    """Whether the stream is closed or parked, and nothing is unread or asked for since."""
    checkpoint = outbox.next
    if checkpoint.status == "live":
        return False
    entry_id, request_id = checkpoint.entry_id, checkpoint.request_id
    return not has_news(redis, outbox.lease.stream, entry_id=entry_id, request_id=request_id)


def _begin(kit: Kit, outbox: Outbox) -> LiveStream:
    """A stream's first life, or the next one of a stream that was closed and goes on."""
    session = kit.open_session(start=outbox.checkpoint.tokens_seen)
    notes = Notebook.from_json(outbox.checkpoint.views.get("notes", {})).anew()
    views = {"summary": {"covered": session.num_seen}, "notes": notes.to_json()}
    outbox.advance(tokens_seen=session.num_seen, snapshot="", views=views)
    return _live(kit, outbox, session, Feed(session.num_seen))


def _live(kit: Kit, outbox: Outbox, session: Session, feed: Feed) -> LiveStream:
    try:
        return LiveStream(kit, outbox, session, feed)
    except Exception:  # a state that somebody spoiled must not cost a row each time it is tried
        kit.engine.close(session)
        raise


def _saved_session(kit: Kit, snapshots: Snapshots, checkpoint: Checkpoint) -> Session | None:
    if not checkpoint.snapshot:
        return None
    try:
        return snapshots.load(kit.engine, checkpoint.snapshot)
    except SnapshotError as error:
        log.warning("a window is rebuilt from its transcript: %s", error)
        return None


def _resume(
    kit: Kit, outbox: Outbox, session: Session, reader: BackwardReader
) -> LiveStream | None:
    """With the saved window; None when it does not stand between two lines of the transcript."""
    covered: int = outbox.checkpoint.views["summary"]["covered"]
    lines = reader.since(min(covered, session.num_seen))
    starts = {placed.start for placed in lines} | {outbox.checkpoint.tokens_seen}
    if session.num_seen not in starts:
        return None
    begin = min(starts)
    feed = Feed(begin)
    for placed in lines:
        if placed.start < session.num_seen:
            feed.remember(placed.line)
        else:
            feed.publish(placed.line)
    if covered < begin:
        _say_trimmed(reader, begin - covered)
        _set_covered(outbox, begin)
    return _live(kit, outbox, session, feed)


def _rebuild(kit: Kit, outbox: Outbox, reader: BackwardReader) -> LiveStream:
    """From the transcript alone: the last window of it, and all that no summary has covered."""
    checkpoint = outbox.checkpoint
    covered: int = checkpoint.views["summary"]["covered"]
    window_size = kit.engine.config.num_sinks + kit.engine.config.num_recent
    lines = reader.since(min(covered, checkpoint.tokens_seen - window_size))
    begin = lines[0].start if lines else checkpoint.tokens_seen
    num_prefix = len(kit.engine.tokenizer.chat_parts().prefix)
    session = kit.open_session(start=max(0, begin - num_prefix))
    feed = Feed(session.num_seen)
    for placed in lines:
        feed.publish(placed.line)
    # Positions move when another tokenizer counts the same text; what is uncovered stays so.
    shifted = max(session.num_seen, min(covered + session.num_seen - begin, feed.published))
    if covered < begin:
        _say_trimmed(reader, begin - covered)
    _set_covered(outbox, shifted)
    outbox.advance(tokens_seen=feed.published)
    return _live(kit, outbox, session, feed)


def _say_trimmed(reader: BackwardReader, num_tokens: int) -> None:
    log.warning("%s: %d tokens were trimmed unsummarised", reader.key, num_tokens)


def _set_covered(outbox: Outbox, covered: int) -> None:
    views = outbox.next.views
    outbox.advance(views={**views, "summary": views["summary"] | {"covered": covered}})


class BackwardReader:
    """The end of a transcript, read backward as far as needed and no further."""

    def __init__(self, kit: Kit, redis: Redis, key: str, checkpoint: Checkpoint):
        self.key = key
        self._kit = kit
        self._redis = redis
        self._end = checkpoint.tokens_seen

    def since(self, position: int) -> list[PlacedLine]:
        """The lines that hold every token from `position` on (or all there are), oldest first."""
        lines: list[PlacedLine] = []
        start = self._end
        published = newest_first(self._redis, self.key)
        while start > position and (fields := next(published, None)):
            line = self._kit.line(fields)
            start -= len(line.tokens)
            lines.append(PlacedLine(line, start))
        return lines[::-1]
