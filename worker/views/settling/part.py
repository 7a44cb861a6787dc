"""Settled words on their way to readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.views.settling.origin import Origin, times_of
from worker.views.settling.segment import Heard, Segment
from worker.views.settling.words import Words, written

MAX_LEFT_OUT_CHARS = 400


@dataclass(frozen=True)
class Part:
    """name: what the words are a part of; number: from 0. is_last: it ends there.

    left_out: words of a final that say otherwise what was settled. hypothesis: the entry that said
    the words, if they were settled by what came later. is_raw: it has neither capitals nor marks.
    whole: the text that the words were settled from, by which that is judged; not kept.
    """

    name: str
    words: Words
    origin: Origin
    number: int
    is_last: bool
    how_timed: str = ""
    left_out: str = ""
    hypothesis: str = ""
    is_raw: bool = False
    whole: Words = ()

    def split(self, num_words: int) -> tuple[Part, Part]:
        """The first words, and the others; each with its times."""
        num, how = len(self.words), self.how_timed
        one = times_of(self.origin, self.words, 0, num_words, None)
        other = times_of(self.origin, self.words, num_words, num, one.origin.end)
        first = replace(
            self,
            words=self.words[:num_words],
            origin=one.origin,
            is_last=False,
            how_timed=one.how or how,
            left_out="",
        )
        rest = replace(
            self,
            words=self.words[num_words:],
            origin=other.origin,
            number=self.number + 1,
            how_timed=other.how or how,
        )
        return first, rest

    def to_json(self) -> list[Any]:
        told = (self.number, self.is_last, self.how_timed, self.left_out, self.hypothesis)
        return [self.name, list(self.words), self.origin.to_json(), *told, self.is_raw]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Part:
        name, words, origin, *told = state
        return cls(name, tuple(words), Origin.from_json(origin), *told)


def last_parts(name: str, segment: Segment, entry_id: str) -> Iterator[Part]:
    """The words that are left, or the mark of the end for readers who wait for it."""
    words, origin = segment.shelved + segment.pending, segment.origin
    if origin is None or not (words or segment.owes_its_end):
        return
    whole = segment.settled + words
    timed = times_of(origin, whole, len(whole) - len(words), len(whole), segment.reached)
    own = replace(timed.origin, entry=entry_id)
    yield Part(
        name,
        words,
        own,
        segment.num_parts,
        is_last=True,
        how_timed=timed.how,
        hypothesis=origin.entry if origin.entry != entry_id else "",
        whole=whole,
    )


def part_of(name: str, heard: Heard, words: Words, origin: Origin, *, is_last: bool) -> Part:
    end = len(words) if is_last else min(len(words), heard.first + len(heard.words))
    timed = times_of(origin, words, heard.first, max(heard.first, end), heard.segment.reached)
    return Part(
        name,
        heard.words,
        timed.origin,
        heard.segment.num_parts,
        is_last,
        timed.how,
        left_out=written(heard.left_out)[:MAX_LEFT_OUT_CHARS],
        whole=words or heard.words,
    )
