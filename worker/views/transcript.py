"""The rolling transcript: every settled word once, in order, never invented, never revised.

Two steps, each of which changes the state at once or not at all. `take` settles what an entry
settles: its words are then in the queue, which is part of the state, so the entry is done with.
`write` publishes from the queue as capitals and marks are there. The state is made of frozen
values; what `to_json` hands out is never changed afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from worker.intake.entries import Entry
from worker.views.lexicon import MIN_TELLING_WORDS, Lexicon
from worker.views.restore import Restorer
from worker.views.settling.origin import Origin
from worker.views.settling.part import Part
from worker.views.settling.segments import Segments
from worker.views.settling.words import words_of, written
from worker.views.writing import Fields, Queue, Writer

MAX_IDS = 256
NUM_WORDS_AHEAD = 64  # so many are settled before they are published, if they are there
NUM_SHOWN_WORDS = 24
OLD_NEWS = {
    "duplicate": "duplicate: a final of this segment said the same before",
    "late": "late: the final of this segment came before this hypothesis of it",
}


@dataclass(frozen=True)
class Pace:
    """hold_seconds: how long the last words wait for those that follow, to be restored with them.
    open_seconds: after how long without news a hypothesis is taken as it stands.
    by_agreement: two hypotheses settle what they agree on; otherwise finals alone do."""

    hold_seconds: float = 1.0
    open_seconds: float = 30.0
    by_agreement: bool = True


@dataclass(frozen=True)
class State:
    """ids: of entries, and what they said, by which a repeated one is known."""

    segments: Segments = field(default_factory=Segments)
    queue: Queue = field(default_factory=Queue)
    lexicon: Lexicon = field(default_factory=Lexicon)
    ids: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "segments": self.segments.to_json(),
            "queue": self.queue.to_json(),
            "lexicon": self.lexicon.to_json(),
            "ids": list(self.ids),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> State:
        """Of what this version has written; what an older one had is begun anew."""
        if "queue" not in state:
            dict(state.get("segments", {}))  # it had a mapping there, unless somebody spoiled it
            return cls()
        return cls(
            Segments.from_json(state["segments"]),
            Queue.from_json(state["queue"]),
            Lexicon.from_json(state["lexicon"]),
            tuple(state["ids"]),
        )


class Transcript:
    """One stream's transcript. left_out: told why something was left out, and how much."""

    def __init__(
        self,
        restorer: Restorer | None,
        pace: Pace,
        state: Mapping[str, Any],
        *,
        now: float,
        left_out: Callable[[str, int], None],
    ):
        """restorer: None to publish every text as it came. state: what `to_json` gave."""
        self._restorer = restorer
        self._pace = pace
        self._state = State.from_json(state)
        self._left_out = left_out
        self._writer = Writer(restorer, hold_seconds=pace.hold_seconds, now=now)
        self._heard_at = dict.fromkeys(self._state.segments.open_names, now)
        self._is_over = False  # what is in the queue waits for nothing
        self._shown: Mapping[str, str] = {}

    # ---- in

    @property
    def has_room(self) -> bool:
        return self._state.queue.num_words < NUM_WORDS_AHEAD

    def take(self, entry: Entry, now: float) -> str | None:
        """Settles what the entry settles. Why it was left out, if all that it says came before."""
        repeated = _id_of(entry)
        if repeated and repeated in self._state.ids:
            self._left_out("repeated", 1)
            return f"repeated: an entry with the id {entry.extra['id']!r} said the same before"
        if repeated:
            self._state = replace(self._state, ids=(*self._state.ids, repeated)[-MAX_IDS:])
        old_news = None
        if entry.text or not entry.end_of_stream:
            old_news = self._take_words(entry, now)
        if entry.end_of_stream:
            self._end_with(entry, now)
        return old_news

    def _take_words(self, entry: Entry, now: float) -> str | None:
        if entry.end_of_stream:
            entry = replace(entry, final=True)
        taken = self._state.segments.take(entry, by_agreement=self._pace.by_agreement)
        for why, num in taken.left_out:
            self._left_out(why, num)
        lexicon = self._learnt(entry) if entry.final else self._state.lexicon
        self._state = replace(self._state, segments=taken.segments, lexicon=lexicon)
        self._queue(taken.parts, now)
        self._note_open(now)
        told = [OLD_NEWS[why] for why, _ in taken.left_out if why in OLD_NEWS]
        return told[0] if told and entry.text else None  # without words nothing is left out

    def _end_with(self, entry: Entry, now: float) -> None:
        """Whatever is open ends before the entry's own words, which carry the mark of the end."""
        own = self._state.queue.parts[-1:] if entry.text else ()
        if own and own[0].origin.entry == entry.id:
            self._state = self._with_parts(self._state.queue.parts[:-1])
        else:
            own = (Part("", (), replace(Origin.of(entry), words=""), 0, is_last=True),)
        self.finish(entry.id, now)
        marked = (*own[0].origin.others, ("end_of_stream", "1"))
        last = replace(own[0], origin=replace(own[0].origin, others=marked))
        self._state = self._with_parts((*self._state.queue.parts, last))

    def finish(self, entry_id: str, now: float) -> None:
        """Whatever is open ends as it was heard last; nothing waits for what follows."""
        self._finish(self._state.segments.open_names, entry_id, now)
        self._is_over = True

    def finish_old(self, entry_id: str, now: float, *, silent_at: float) -> None:
        """The hypotheses of which nothing was heard for long. entry_id: what the stream reached.
        silent_at: when it was last known that nothing more had been said."""
        if self._heard_at:
            last = silent_at - self._pace.open_seconds
            self._finish([name for name, at in self._heard_at.items() if at <= last], entry_id, now)

    def begin_anew(self, entry_id: str, now: float) -> None:
        """Another stream has this one's name: what was open ends, and nothing is known of it."""
        self.finish(entry_id, now)
        self._state = State(queue=self._state.queue)

    def _finish(self, names: Sequence[str], entry_id: str, now: float) -> None:
        segments, parts = self._state.segments.finish(names, entry_id)
        self._state = replace(self._state, segments=segments)
        self._queue(parts, now)
        self._heard_at = {n: at for n, at in self._heard_at.items() if n not in names}

    def _note_open(self, now: float) -> None:
        """The one that was heard of last is the last that is known."""
        names = self._state.segments.open_names
        newest = self._state.segments.newest
        at = {name: self._heard_at.get(name, now) for name in names}
        self._heard_at = at | {newest: now} if newest in at else at

    def _queue(self, parts: Iterable[Part], now: float) -> None:
        added = [replace(part, is_raw=self._is_raw(part), whole=()) for part in parts]
        if added:
            self._state = self._with_parts((*self._state.queue.parts, *added))
            self._writer.came(now)
            self._is_over = False

    def _with_parts(self, parts: tuple[Part, ...]) -> State:
        return replace(self._state, queue=replace(self._state.queue, parts=parts))

    def _is_raw(self, part: Part) -> bool:
        """By all of the text that the words are a part of; a short one by what its speaker writes
        otherwise: "so we" may be the middle of a sentence."""
        if self._restorer is None:
            return False
        is_raw = self._restorer.wants(written(part.whole), part.origin.lang)
        is_short = len(part.whole) < MIN_TELLING_WORDS
        is_spaced = all(word.startswith(" ") for word in part.words[1:])
        is_written = is_short and self._state.lexicon.is_writer(part.origin.speaker)
        return is_raw and is_spaced and not is_written

    def _learnt(self, entry: Entry) -> Lexicon:
        words, restorer = words_of(entry.text), self._restorer
        is_raw = restorer is not None and restorer.wants(entry.text, entry.lang)
        return (
            self._state.lexicon.learn(entry.speaker, words, is_raw=is_raw)
            if words
            else (self._state.lexicon)
        )

    # ---- out

    def write(self, now: float) -> list[Fields]:
        """The lines that are ready; none if there are none for now. Raises engine.NoFreeRow."""
        queue, names = self._state.queue, self._state.lexicon.by_word
        written_now = self._writer.write(queue, names, now, is_over=self._is_over)
        if written_now is None:
            return []
        queue, lines = written_now
        self._state = replace(self._state, queue=queue)
        return lines

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to publish, now or when its time has come."""
        return not self._state.queue.parts and not self._heard_at

    @property
    def is_written(self) -> bool:
        """Whether all that is settled is published."""
        return not self._state.queue.parts

    @property
    def waits_for_clock(self) -> bool:
        """Whether what is left to publish only waits for what follows, or for its time."""
        return self._writer.waits_for_clock(self._state.queue)

    def pending(self, entry_id: str) -> dict[str, str] | None:
        """What readers may be shown of words to come; None if it is what was shown last."""
        shown = _shown(self._state, entry_id)
        if shown == self._shown or not (shown["pending"] or self._shown.get("pending")):
            return None
        self._shown = shown
        return shown

    def to_json(self) -> dict[str, Any]:
        return self._state.to_json()

    def close(self) -> None:
        self._writer.close()


def _id_of(entry: Entry) -> str:
    """Of an entry with an `id`, and what it says: the same name with another text is another."""
    own = entry.extra.get("id")
    if not own:
        return ""
    said = "\0".join((own, entry.segment or "", str(entry.final), entry.text))
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _shown(state: State, entry_id: str) -> dict[str, str]:
    segment = state.segments.last_open()
    waiting = tuple(word for part in state.queue.parts for word in part.words)
    open_words = segment.shelved + segment.pending if segment else ()
    origin = segment.origin if segment else None
    if origin is None and state.queue.parts:
        origin = state.queue.parts[-1].origin
    settled = " ".join(state.queue.last.text.split()[-NUM_SHOWN_WORDS:])
    return {
        "settled": settled,
        "pending": written((*waiting, *open_words)[-8 * NUM_SHOWN_WORDS :]),
        "speaker": (origin.speaker if origin else None) or "",
        "segment": (origin.segment if origin else None) or "",
        "entry": entry_id,
    }
