"""What is known of the speech that words are of: who, when, in which entry, and what else came.

Immutable, and small: it is kept for every open hypothesis.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.intake.entries import Entry

OWN_FIELDS = frozenset(
    ["entry", "text", "final", "restored", "continues", "joined", "times", "left_out", "hypothesis"]
)


@dataclass(frozen=True)
class Origin:
    """start, end: seconds, of all words that the hypothesis has. words: JSON, "" if none came: a
    list with an object for each word. others: what goes out as it came."""

    entry: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    segment: str | None = None
    lang: str | None = None
    words: str = ""
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, entry: Entry) -> Origin:
        """A field that has no meaning here, and whose name the output has one for, keeps its value
        under `input.NAME`."""
        others = {f"input.{n}" if n in OWN_FIELDS else n: v for n, v in entry.extra.items()}
        words = others.pop("words", "")
        return cls(
            entry.id,
            entry.speaker,
            entry.start,
            entry.end,
            entry.segment,
            entry.lang,
            words,
            tuple(others.items()),
        )

    def fields(self) -> dict[str, str]:
        known = {
            "entry": self.entry,
            "speaker": self.speaker,
            "start": self.start,
            "end": self.end,
            "segment": self.segment,
            "lang": self.lang,
            "words": self.words or None,
        }
        return dict(self.others) | {n: str(v) for n, v in known.items() if v is not None}

    def to_json(self) -> list[Any]:
        known = (self.entry, self.speaker, self.start, self.end, self.segment, self.lang)
        return [*known, self.words, dict(self.others)]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Origin:
        entry, speaker, start, end, segment, lang, words, others = state
        return cls(entry, speaker, start, end, segment, lang, words, tuple(others.items()))


@dataclass(frozen=True)
class Timed:
    """The origin of some words of a hypothesis, with their own times.

    how: "" as they came (those of words, or of the whole text); "interpolated" by the letters
    before them; "segment" where only the times of all words are known."""

    origin: Origin
    how: str = ""


def times_of(
    origin: Origin, words: Sequence[str], first: int, end: int, reached: float | None
) -> Timed:
    """Of words[first:end], where `words` is all of the hypothesis. reached: the end of the part
    before this one, which does not overlap it."""
    spoken = _spoken(origin.words, len(words))
    if spoken and first < end:
        own = spoken[first:end]
        begin, last = own[0].get("start"), own[-1].get("end")
        cut = replace(origin, words=json.dumps(own, ensure_ascii=False))
        if isinstance(begin, int | float) and isinstance(last, int | float):
            return Timed(replace(cut, start=float(begin), end=float(last)))
        origin = cut
    elif (first, end) != (0, len(words)):
        # Which of them belong to which words cannot be told: they come with the last ones.
        origin = replace(origin, words=origin.words if end == len(words) else "")
    return _interpolated(origin, words, first, end, reached)


def _interpolated(
    origin: Origin, words: Sequence[str], first: int, end: int, reached: float | None
) -> Timed:
    if (first, end) == (0, len(words)) and (reached is None or origin.start is None):
        return Timed(origin)
    if origin.start is None or origin.end is None:
        return Timed(origin, "segment" if origin.start is not None else "")
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word))
    per_letter = (origin.end - origin.start) / max(1, ends[-1])
    begin = origin.start + per_letter * ends[first]
    last = origin.end if end == len(words) else origin.start + per_letter * ends[end]
    begin = begin if reached is None else max(begin, min(reached, last))
    moved = replace(origin, start=round(begin, 3), end=round(last, 3))
    same = (moved.start, moved.end) == (origin.start, origin.end)
    return Timed(origin if same else moved, "" if same else "interpolated")


def _spoken(words: str, num_words: int) -> list[dict[str, Any]]:
    """The objects of the words, if there is one for each."""
    if not words:
        return []
    try:
        spoken = json.loads(words)
    except ValueError:
        return []
    fits = isinstance(spoken, list) and len(spoken) == num_words
    return spoken if fits and all(isinstance(word, dict) for word in spoken) else []
