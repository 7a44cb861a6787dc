"""Words that a recogniser moves from one segment to another: said of the other, and not said again.

Recognisers that cut speech into sentences change their mind about where one ends. "third acts, it
may be possible for us" loses its end, which comes under the name of the next sentence, or it takes
in the sentence after it. Either way the words have been published. That they are the same, and no
refrain, is told by more than that they are equal: the segment that had them does not say them any
more, or the one that takes them in lies before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from worker.views.settling.words import Words, keys

MIN_RUN = 3  # words; fewer are equal by chance
MAX_GAP = 2  # words between two runs that are said otherwise in their new place
MAX_RUNS = 24
MAX_RUN_WORDS = 64


@dataclass(frozen=True)
class Stretch:
    """text[begin:end] is said[said_begin:said_end], but for a word here and there."""

    begin: int
    end: int
    said_begin: int
    said_end: int

    @property
    def places(self) -> range:
        return range(self.said_begin, self.said_end)


Hold = tuple[str, int, int]
"""A segment, and which words of a run it says: the first, and the last + 1."""


@dataclass(frozen=True)
class Run:
    """words (their keys): published as `source`'s, which does not say them any more. holds: which
    of them other segments say since."""

    words: Words
    source: str
    holds: tuple[Hold, ...] = ()

    def found_in(self, name: str, said: Words, later: Set[str]) -> list[Stretch]:
        """What segment `name` may have of it. The source may take back what another segment has
        taken, and one that lies before that one may take it on."""
        others = [h for h in self.holds if h[0] not in (name, *later) and self.source != name]
        return [
            stretch
            for stretch in _stretches(self.words, said)
            if not any(begin < stretch.end and stretch.begin < end for _, begin, end in others)
        ]

    def held_by(self, name: str, stretches: Sequence[Stretch]) -> Run:
        others = tuple(hold for hold in self.holds if hold[0] != name)
        if not stretches or self.source == name:
            return replace(self, holds=others)
        own = (name, stretches[0].begin, stretches[-1].end)
        return replace(self, holds=(*others, own))


@dataclass(frozen=True)
class Taking:
    """places: of words that were published as another segment's. left: the runs that their sources
    have no more."""

    borders: Borders
    places: frozenset[int]
    left: tuple[Run, ...]

    def left_of(self, name: str, settled: Words) -> Words:
        """What a segment still has of its settled words."""
        for run in self.left:
            at = _place(keys(settled), run.words) if run.source == name else None
            if at is not None:
                settled = settled[:at] + settled[at + len(run.words) :]
        return settled


@dataclass(frozen=True)
class Borders:
    """runs: the newest at the end."""

    runs: tuple[Run, ...] = ()

    def of(self, names: Set[str]) -> Borders:
        """Of these segments; what was said long ago may be said again."""
        return Borders(tuple(run for run in self.runs if run.source in names))

    def with_given(self, source: str, settled: Words, taker: Words, new: Words) -> Borders:
        """With the words of `source` as a run, if `new`, said of a segment that began before it,
        takes them in. taker: what was settled of that one."""
        run, said = keys(settled), keys(new)
        first = next(_stretches(run, said), None)
        is_short = 0 < len(run) < MIN_RUN and said[len(taker) :][: len(run)] == run
        if not is_short and (first is None or first.begin > MAX_GAP):
            return self
        return Borders((*self.runs, Run(run, source))[-MAX_RUNS:])

    def taken(self, name: str, new: Words, later: Set[str]) -> Taking:
        """What `new`, said of segment `name`, has of other segments. later: those that began after
        it."""
        said, places, runs, left = keys(new), set[int](), list[Run](), list[Run]()
        for run in self.runs:
            found = run.found_in(name, said, later)
            places.update(*(stretch.places for stretch in found))
            held = run.held_by(name, found) if found else run
            if held.holds and not run.holds:
                left.append(run)
            runs.append(held)
        return Taking(Borders(tuple(runs)), frozenset(places), tuple(left))

    def after(self, name: str, settled: Words, new: Words) -> Borders:
        """Now that `new` is said of a segment of which `settled` was published."""
        said, published = keys(new), keys(settled)
        runs = [
            run if run.source == name else run.held_by(name, [*_stretches(run.words, said)])
            for run in self.runs
            if run.source != name or not _has(published, run.words)
        ]
        runs = [run for run in runs if run.holds or len(run.words) >= MIN_RUN]
        known = [run.words for run in runs if run.source == name]
        gone = (words for words in _not_said(published, said) if words not in known)
        return Borders((*runs, *(Run(words, name) for words in gone))[-MAX_RUNS:])

    def to_json(self) -> list[Any]:
        return [[list(run.words), run.source, *map(list, run.holds)] for run in self.runs]

    @classmethod
    def from_json(cls, state: Sequence[Any]) -> Borders:
        runs = (Run(tuple(w), source, tuple(map(tuple, holds))) for w, source, *holds in state)
        return cls(tuple(runs))


def places_of(run: Words, said: Words) -> set[int]:
    """The places in `said` of words that are those of the run (both as keys)."""
    if len(run) < MIN_RUN:
        return set()
    return set[int]().union(*(stretch.places for stretch in _stretches(run, said)))


def _has(text: Words, run: Words) -> bool:
    return _place(text, run) is not None


def _place(text: Words, run: Words) -> int | None:
    places = range(len(text) - len(run) + 1)
    return next((at for at in places if text[at : at + len(run)] == run), None)


def _not_said(text: Words, said: Words) -> Iterator[Words]:
    """The runs of a text that are not in what is said now."""
    if text == said[: len(text)]:
        return
    begin = 0
    for stretch in (*_stretches(text, said), Stretch(len(text), len(text), 0, 0)):
        if stretch.begin - begin >= MIN_RUN:
            yield text[max(begin, stretch.begin - MAX_RUN_WORDS) : stretch.begin]
        begin = stretch.end


def _stretches(text: Words, said: Words) -> Iterator[Stretch]:
    """Equal words with little between them, `MIN_RUN` of them in a row at least once; all of a text
    that is shorter, where it is said as it is."""
    if 0 < len(text) < MIN_RUN:
        at = _place(said, text)
        if at is not None:
            yield Stretch(0, len(text), at, at + len(text))
    if not _threes(text) & _threes(said):
        return
    open_, has_run = Stretch(0, 0, 0, 0), False
    for block in SequenceMatcher(None, text, said, autojunk=False).get_matching_blocks():
        begin, said_begin, size = block.a, block.b, block.size
        if max(begin - open_.end, said_begin - open_.said_end) > MAX_GAP or not size:
            if has_run:
                yield open_
            open_, has_run = Stretch(begin, begin, said_begin, said_begin), False
        open_ = replace(open_, end=begin + size, said_end=said_begin + size)
        has_run |= size >= MIN_RUN


def _threes(words: Words) -> set[Words]:
    return {words[at : at + MIN_RUN] for at in range(len(words) - MIN_RUN + 1)}
