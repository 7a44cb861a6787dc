"""One stretch of speech that its recogniser still rewrites, and what each hypothesis settles.

Invariant: what is settled only ever grows at its end. A word is settled when two successive
hypotheses agree on it, after the place of what was settled before (LocalAgreement-2, Liu et al.
2020, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis
Selection"), or when its segment is final.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz.distance import Levenshtein

from worker.views.settling.alignment import place
from worker.views.settling.likeness import are_alike
from worker.views.settling.origin import Origin
from worker.views.settling.words import Words, is_mark, keys

MAX_SETTLED = 256  # words that are aligned; older ones are known to be settled, and not kept


@dataclass(frozen=True)
class Segment:
    """`settled` and then `pending` is what the last hypothesis said.

    shelved: pending words of a hypothesis with which the last one had nothing in common. Either it
    was a slip of the recogniser's, and they are pending again, or another speech has begun under
    this name, and they end the one before.
    """

    settled: Words = ()
    pending: Words = ()
    shelved: Words = ()
    is_astray: bool = False
    num_parts: int = 0
    is_closed: bool = False
    digest: str = ""  # of the text that closed it
    reached: float | None = None  # seconds, where the last part ended
    origin: Origin | None = None  # of the last hypothesis
    earlier: tuple[Words, ...] = ()  # what closed texts under this name said before this one
    is_reopened: bool = False  # finals alone settle what a recogniser says anew of a closed text

    @property
    def recent(self) -> Words:
        """The words after the settled ones, as they were said last."""
        return self.pending or (() if self.is_astray else self.shelved)

    @property
    def is_empty(self) -> bool:
        return not (self.settled or self.pending or self.shelved)

    @property
    def has_open_words(self) -> bool:
        return not self.is_closed and bool(self.pending or self.shelved)

    @property
    def owes_its_end(self) -> bool:
        """Whether readers have had a part of it, and not the last one."""
        return not self.is_closed and self.num_parts > 0

    def to_json(self) -> list[Any]:
        origin = self.origin.to_json() if self.origin else None
        words = (self.settled, self.pending, self.shelved)
        return [
            *(list(some) for some in words),
            self.is_astray,
            self.num_parts,
            self.is_closed,
            self.digest,
            self.reached,
            origin,
            [list(words) for words in self.earlier],
            self.is_reopened,
        ]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Segment:
        settled, pending, shelved, is_astray, num_parts, is_closed, digest, reached, *others = state
        origin, earlier, is_reopened = others
        return cls(
            tuple(settled),
            tuple(pending),
            tuple(shelved),
            is_astray,
            num_parts,
            is_closed,
            digest,
            reached,
            Origin.from_json(origin) if origin else None,
            tuple(map(tuple, earlier)),
            is_reopened,
        )


@dataclass(frozen=True)
class Heard:
    """What one hypothesis has settled: `words`, which are those of the hypothesis from `first` on,
    a few before them perhaps. left_out: words of a final that say otherwise what was settled."""

    segment: Segment
    words: Words = ()
    first: int = 0
    left_out: Words = ()


def hear(segment: Segment, new: Words, *, final: bool, by_agreement: bool) -> Heard:
    """by_agreement: two hypotheses settle what they agree on; otherwise finals alone do.

    A text without words takes nothing back: if it is final, what was pending is settled."""
    if not new:
        if not final:
            return Heard(segment)
        return _settle(segment, segment.shelved + segment.pending, (), 0)
    if not segment.is_empty and not are_alike(segment.settled + segment.recent, new):
        return _hear_another(segment, new, final=final)
    found = place(segment.settled, segment.recent, new)
    tail = found.rest + new[found.start :]
    if final:
        left_out = _otherwise(segment.settled, new[: found.start])
        return _settle(replace(segment, shelved=()), tail, (), found.start, left_out)
    if not tail:
        # Less than was settled: a beginning, and perhaps that of something else.
        return Heard(replace(segment, pending=(), shelved=segment.recent))
    may_agree = by_agreement and not segment.is_reopened
    num_agreed = _num_agreed(segment.recent, tail) if may_agree else 0
    words, pending = tail[:num_agreed], tail[num_agreed:]
    return _settle(replace(segment, shelved=()), words, pending, found.start)


def without(heard: Heard, new: Words, places: Set[int]) -> tuple[Heard, int]:
    """What is heard but for the words of the hypothesis at these places, and how many these are."""
    begins = heard.words[:1] == new[heard.first : heard.first + 1]
    at = range(heard.first, heard.first + len(heard.words)) if begins else range(0)
    left = [place for place in at if place not in places]
    if len(left) == len(at):
        return heard, 0
    words = tuple(new[place] for place in left)
    first = left[0] if left else heard.first + len(at)
    return replace(heard, words=words, first=first), len(at) - len(left)


def resumes(segment: Segment, new: Words) -> bool:
    """Whether a segment that has gone astray goes on with what it said before that."""
    return are_alike(segment.settled + segment.shelved, new)


def _hear_another(segment: Segment, new: Words, *, final: bool) -> Heard:
    """Nothing in common: if it is final, all of it is new; if not, the next hypothesis will tell
    whether the recogniser has begun something else."""
    if final:
        return _settle(replace(segment, pending=(), shelved=()), new, (), 0)
    shelved = segment.shelved or segment.pending
    return Heard(replace(segment, pending=new, shelved=shelved, is_astray=True))


def _settle(
    segment: Segment, words: Words, pending: Words, first: int, left_out: Words = ()
) -> Heard:
    settled = (segment.settled + words)[-MAX_SETTLED:]
    grown = replace(segment, settled=settled, pending=pending)
    return Heard(grown, words, first, left_out)


def _num_agreed(pending: Words, tail: Words) -> int:
    pairs = zip(keys(pending), keys(tail), strict=False)
    return next(
        (i for i, (one, other) in enumerate(pairs) if one != other), min(len(pending), len(tail))
    )


def _otherwise(settled: Words, said: Words) -> Words:
    """The words of `said` that the settled ones say in another way, or not at all."""
    blocks = Levenshtein.opcodes(keys(settled), keys(said))
    changed = [b for b in blocks if b.tag in ("replace", "insert")]
    words = [word for b in changed for word in said[b.dest_start : b.dest_end]]
    return tuple(word for word in words if not is_mark(word))
