"""All the speech of one stream that may still be rewritten, and which entry is about which of it.

Invariant: of two entries about the same speech the second adds only what the first did not have.
What they are about is told by `segment`; without one there is one open utterance per channel, or
else per speaker, and a final closes it. A name may come again: a text that is not the closed one's,
nor says it anew, begins another speech. Whatever is left out is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from worker.intake.entries import Entry
from worker.views.settling.borders import Borders, places_of
from worker.views.settling.closed import (
    began_later,
    digest,
    is_later,
    relation_of,
    reopened,
    why_old_news,
)
from worker.views.settling.likeness import say_the_same
from worker.views.settling.origin import Origin
from worker.views.settling.part import Part, last_parts, part_of
from worker.views.settling.segment import Heard, Segment, hear, resumes, without
from worker.views.settling.words import Words, keys, words_of

MAX_OPEN = 16
MAX_CLOSED = 64
MAX_CLOSED_WITH_WORDS = 8  # of these a late correction is still known to be one
MAX_FINALS = 64
NUM_NEIGHBOURS = 8  # segments that words may have moved from


@dataclass(frozen=True)
class Taken:
    """What an entry has made of the segments. left_out: why, and how many (words for "reworded",
    otherwise entries)."""

    segments: Segments
    parts: tuple[Part, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Segments:
    """known: by name, those heard of last at the end. finals: what finals without a segment said
    when, for their duplicates."""

    known: tuple[tuple[str, Segment], ...] = ()
    finals: tuple[str, ...] = ()
    borders: Borders = field(default_factory=Borders)

    def take(self, entry: Entry, *, by_agreement: bool) -> Taken:
        words, origin = words_of(entry.text), Origin.of(entry)
        name, said_before = self._name(entry), _when_and_what(entry)
        if entry.segment is None and said_before in self.finals:
            return self._again(name, words, origin)
        segment = self._segment(name)
        if segment.is_closed:
            relation = relation_of(segment, origin)
            why = None if relation == "apart" else why_old_news(segment, words, entry)
            if why:
                is_said = why == "duplicate"
                return (
                    self._again(name, words, origin)
                    if is_said
                    else Taken(self, left_out=((why, 1),))
                )
            segment = reopened(segment, words, relation, is_named=entry.segment is not None)
        before: tuple[Part, ...] = ()
        if not segment.is_empty and is_later(segment.origin, origin):
            # Its final never came, and something else has its name.
            before, segment = tuple(last_parts(name, segment, entry.id)), Segment()
        if segment.is_astray and words:
            segment, parts = _led_back(segment, words, origin)
            before = (*before, *parts)
        before = tuple(self._not_said_elsewhere(name, before))
        own = self._published_of(name, segment, words, origin)
        known, moved = self._with_moved(name, own, words, origin)
        heard = hear(segment, words, final=entry.final, by_agreement=by_agreement)
        heard, num_moved = without(heard, words, moved)
        taken = known._heard(name, heard, words, origin, entry, before)
        if num_moved:
            return replace(taken, left_out=(*taken.left_out, ("moved", num_moved)))
        return taken

    def _again(self, name: str, words: Words, origin: Origin) -> Taken:
        """A final that was said before. What it does not say any more may come elsewhere."""
        own = self._segment(name).settled
        known, _ = self._with_moved(name, own, words, origin)
        return Taken(known, left_out=(("duplicate", 1),))

    def _with_moved(
        self, name: str, own: Words, words: Words, origin: Origin
    ) -> tuple[Segments, frozenset[int]]:
        """Which of the words were published as another segment's, which has them no more. own: what
        was published of this one's speech. Times are needed: without them nobody knows a border
        that moved from what was said again."""
        if origin.start is None:
            return self, frozenset()
        later = {n: s for n, s in self.known if n != name and began_later(s.origin, origin)}
        borders = self.borders.of({name, *(n for n, _ in self.known[-NUM_NEIGHBOURS:])})
        for other, segment in later.items():
            borders = borders.with_given(other, segment.settled, own, words)
        taking = borders.taken(name, words, later.keys())
        known = tuple((n, replace(s, settled=taking.left_of(n, s.settled))) for n, s in self.known)
        return replace(
            self, known=known, borders=taking.borders.after(name, own, words)
        ), taking.places

    def _published_of(self, name: str, now: Segment, words: Words, origin: Origin) -> Words:
        """What was settled of the speech that these words are about. `now`: what is known of it. A
        text that is not like the one before under its name may be another speech."""
        before = self._segment(name)
        if now.settled and (before.is_closed or say_the_same(now.settled, words)):
            return now.settled
        begins = {s.origin.start for _, s in self.known if s.origin is not None}
        tells = len(begins) > 1  # some recognisers send the same start always
        is_same = tells and relation_of(before, origin) == "same time"
        return before.settled if is_same else ()

    def _not_said_elsewhere(self, name: str, parts: Iterable[Part]) -> Iterator[Part]:
        """Words that were pending when a segment was given up, without those that were published as
        another segment's since."""
        others = [keys(s.settled) for n, s in self.known if n != name]
        for part in parts:
            said = keys(part.words)
            published = (*others, *(run.words for run in self.borders.runs))
            places = set[int]().union(*(places_of(words, said) for words in published))
            words = tuple(w for at, w in enumerate(part.words) if at not in places)
            if words or part.number > 0:
                yield replace(part, words=words)

    def _heard(
        self,
        name: str,
        heard: Heard,
        words: Words,
        origin: Origin,
        entry: Entry,
        before: tuple[Part, ...],
    ) -> Taken:
        part = part_of(name, heard, words, origin, is_last=entry.final)
        segment = replace(heard.segment, origin=origin)
        if part.words or (entry.final and segment.num_parts > 0):
            reached = part.origin.end if part.origin.end is not None else segment.reached
            segment = replace(segment, num_parts=segment.num_parts + 1, reached=reached)
            before = (*before, part)
        if entry.final:
            segment = replace(
                segment, is_closed=True, digest=digest(words), num_parts=0, is_reopened=False
            )
        # Without a name of its own, what is closed is known by when it began.
        kept = self._with(_since(name, entry) if entry.final else name, segment, instead_of=name)
        if entry.final and entry.segment is None and entry.start is not None:
            kept = replace(kept, finals=(*kept.finals, _when_and_what(entry))[-MAX_FINALS:])
        kept, finished = kept._without_surplus(entry.id)
        parts, why = (*before, *finished), dict[str, int]()
        if heard.left_out:
            why["reworded"] = len(heard.left_out)
        elif not (words or parts):
            why["empty"] = 1
        return Taken(kept, parts, tuple(why.items()))

    def finish(self, names: Sequence[str], entry_id: str) -> tuple[Segments, tuple[Part, ...]]:
        """These segments end with what was heard of them last. entry_id: what the stream had
        reached."""
        segments, parts = self, list[Part]()
        for name in names:
            segment = segments._segment(name)
            parts += self._not_said_elsewhere(name, last_parts(name, segment, entry_id))
            closed = replace(
                segment,
                settled=segment.settled + segment.shelved + segment.pending,
                pending=(),
                shelved=(),
                is_astray=False,
                is_closed=True,
                num_parts=0,
            )
            segments = segments._with(name, closed)
        return segments, tuple(parts)

    @property
    def open_names(self) -> list[str]:
        """Of those that have words to come, or whose readers wait for their end; oldest first."""
        return [name for name, s in self.known if s.has_open_words or s.owes_its_end]

    @property
    def newest(self) -> str:
        """What was heard of last."""
        return self.known[-1][0] if self.known else ""

    def last_open(self) -> Segment | None:
        """What was heard of last, if it is open."""
        name, segment = self.known[-1] if self.known else ("", Segment())
        return segment if name in self.open_names else None

    def _name(self, entry: Entry) -> str:
        """Who speaks may be known only when a text is final: then it ends what nobody said yet."""
        if entry.segment is not None:
            return f"segment {entry.segment}"
        own = entry.extra.get("channel") or entry.speaker or ""
        open_ones = [name for name in self.open_names if name.startswith("said by ")]
        named = f"said by {own}"
        if _since(named, entry) in dict(self.known):
            return _since(named, entry)
        if named in open_ones or not open_ones:
            return named
        anonymous = "said by "
        if own and anonymous in open_ones:
            return anonymous
        return open_ones[-1] if not own and len(open_ones) == 1 else named

    def _segment(self, name: str) -> Segment:
        return dict(self.known).get(name, Segment())

    def _with(self, name: str, segment: Segment, *, instead_of: str = "") -> Segments:
        others = [(n, s) for n, s in self.known if n not in (name, instead_of)]
        return replace(self, known=(*others, (name, segment)))

    def _without_surplus(self, entry_id: str) -> tuple[Segments, tuple[Part, ...]]:
        """Open ones above the number that is kept end; closed ones lose their words, then go."""
        kept, parts = self.finish(self.open_names[:-MAX_OPEN], entry_id)
        closed = [name for name, s in kept.known if s.is_closed]
        without_words, gone = closed[:-MAX_CLOSED_WITH_WORDS], set(closed[:-MAX_CLOSED])
        known = tuple(
            (name, replace(s, settled=(), earlier=(), origin=None) if name in without_words else s)
            for name, s in kept.known
            if name not in gone
        )
        return replace(kept, known=known), parts

    def to_json(self) -> dict[str, Any]:
        known = [[name, segment.to_json()] for name, segment in self.known]
        return {"known": known, "finals": list(self.finals), "borders": self.borders.to_json()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Segments:
        known = tuple((name, Segment.from_json(s)) for name, s in state.get("known", ()))
        borders = Borders.from_json(state.get("borders", ()))
        return cls(known, tuple(state.get("finals", ())), borders)


def _led_back(segment: Segment, words: Words, origin: Origin) -> tuple[Segment, tuple[Part, ...]]:
    """A segment that went astray, now that one more hypothesis is there."""
    if resumes(segment, words):
        return replace(segment, pending=segment.shelved, shelved=(), is_astray=False), ()
    if not say_the_same(words, segment.pending):
        return segment, ()
    # Another speech has begun: what was pending of the one before is its end.
    ended = replace(segment, pending=())
    parts = tuple(last_parts("", ended, origin.entry))
    return Segment(pending=segment.pending, origin=segment.origin), parts


def _since(name: str, entry: Entry) -> str:
    """The name of a speech that is closed, if it has none that its recogniser gave it."""
    has_one = entry.start is None or not name.startswith("said by ")
    return name if has_one else f"since {entry.start:.2f} {name}"


def _when_and_what(entry: Entry) -> str:
    if not entry.final or entry.start is None:
        return ""
    who = entry.extra.get("channel") or entry.speaker or ""
    said = f"{who}\0{entry.start}\0{' '.join(keys(words_of(entry.text)))}"
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=6).hexdigest()
