"""Which words of a recogniser's changing hypotheses are settled (LocalAgreement-2).

Invariant: the words confirmed for a segment only ever grow at their end. A word is confirmed when
two successive hypotheses have it at the same place, or when its segment is final (Liu et al. 2020,
"Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis
Selection"). What a later hypothesis says about a confirmed word is ignored.

Pure: the state goes into the checkpoint as JSON, so an owner that dies loses no segment. It is
replaced, never changed: what was handed out for a commit stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NUM_SEGMENTS_KEPT = 64


@dataclass(frozen=True)
class Segment:
    """One stretch of speech that its recogniser still rewrites."""

    confirmed: tuple[str, ...] = ()
    hypothesis: tuple[str, ...] = ()
    num_parts: int = 0
    is_final: bool = False


@dataclass(frozen=True)
class Confirmed:
    """Words that one hypothesis settled. `part` counts the parts of a segment from 0."""

    text: str
    part: int
    is_final: bool


class Agreement:
    """The open segments of one stream, newest last."""

    def __init__(self, segments: dict[str, Segment] | None = None):
        self._segments = segments or {}

    def take(self, name: str, text: str, *, final: bool) -> Confirmed | None:
        """The newly confirmed words of segment `name`; None when this hypothesis settles none.

        A segment ends with its first final hypothesis; whatever is said of it later is old news.
        """
        segment = self._segments.get(name, Segment())
        if segment.is_final:
            return None
        words = tuple(text.split())
        agreed = words if final else _common_prefix(segment.hypothesis, words)
        fresh = agreed[len(segment.confirmed) :]
        self._segments[name] = Segment(
            segment.confirmed + fresh, words, segment.num_parts + bool(fresh), final
        )
        self._forget_old()
        return Confirmed(" ".join(fresh), segment.num_parts, final) if fresh else None

    def finish(self) -> dict[str, Confirmed]:
        """What the open segments still have to say when their stream ends, by their names."""
        last: dict[str, Confirmed] = {}
        for name, segment in list(self._segments.items()):
            confirmed = self.take(name, " ".join(segment.hypothesis), final=True)
            if confirmed is not None:
                last[name] = confirmed
        return last

    def to_json(self) -> dict[str, Any]:
        """Of frozen values throughout, so that nothing in it changes afterwards."""
        return {
            name: {"c": s.confirmed, "h": s.hypothesis, "p": s.num_parts, "f": s.is_final}
            if not s.is_final
            else {"f": True}
            for name, s in self._segments.items()
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Agreement:
        return cls(
            {
                name: Segment(tuple(s.get("c", ())), tuple(s.get("h", ())), s.get("p", 0), s["f"])
                for name, s in state.items()
            }
        )

    def _forget_old(self) -> None:
        # Final ones first: a forgotten open segment would publish its words again.
        surplus = len(self._segments) - NUM_SEGMENTS_KEPT
        oldest = sorted(self._segments, key=lambda name: not self._segments[name].is_final)
        for name in oldest[: max(0, surplus)]:
            del self._segments[name]


def _common_prefix(one: Sequence[str], other: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return other[:length]
