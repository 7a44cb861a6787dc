"""What an entry under the name of a closed speech is about: that one, another, nothing new."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal

from worker.intake.entries import Entry
from worker.views.settling.likeness import revises, say_the_same
from worker.views.settling.origin import Origin
from worker.views.settling.segment import Segment
from worker.views.settling.words import Words, keys

MAX_EARLIER = 3  # closed texts of one name that are still known
SAME_START_SECONDS = 0.25


def relation_of(closed: Segment, now: Origin) -> Literal["apart", "same time", "unknown"]:
    """Whether by its time an entry can be about the closed speech."""
    before = closed.origin
    if before is None or before.start is None or now.start is None:
        return "unknown"
    end = max(before.end or before.start, before.start + SAME_START_SECONDS)
    return "same time" if before.start - SAME_START_SECONDS <= now.start < end else "apart"


def began_later(other: Origin | None, this: Origin) -> bool:
    if other is None or other.start is None or this.start is None:
        return False
    return other.start > this.start


def is_later(before: Origin | None, now: Origin) -> bool:
    """Whether by its time an entry is about what was said when the one before was over."""
    if before is None or before.start is None or before.end is None or now.start is None:
        return False
    return now.start >= max(before.end, before.start + SAME_START_SECONDS)


def why_old_news(closed: Segment, words: Words, entry: Entry) -> str | None:
    """Why an entry about a closed segment adds nothing; None if it may. Without a name and a time,
    the same words may well have been said twice."""
    if entry.segment is None and words:
        return None
    if not words or digest(words) == closed.digest:
        return "duplicate" if entry.final else "late"
    if not entry.final and keys(words) == keys(closed.settled)[: len(words)]:
        return "late"  # a hypothesis that its final has overtaken
    return None


def reopened(closed: Segment, words: Words, relation: str, *, is_named: bool) -> Segment:
    """What an entry under a closed name is about: that speech again, one before it, or another."""
    said = (closed.settled, *closed.earlier)
    if relation == "same time":
        again = [text for text in said if say_the_same(words, text)]
    else:
        may_be = relation == "unknown" and is_named
        again = [text for text in said if may_be and revises(words, text)]
    others = tuple(text for text in said if text and text not in again[:1])[:MAX_EARLIER]
    if not again:
        return Segment(earlier=others)
    return replace(
        closed, settled=again[0], earlier=others, is_closed=False, pending=(), is_reopened=True
    )


def digest(words: Words) -> str:
    return hashlib.blake2b("\0".join(keys(words)).encode(), digest_size=6).hexdigest()
