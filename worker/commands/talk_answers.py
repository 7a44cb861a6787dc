"""What answers a question about the talk itself: the notes of its kind, or the most telling
sentences, word for word; no model is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from redis import Redis

from engine import Highlighter, is_telling, standing
from worker.formats.noted import present
from worker.intake.entries import id_order
from worker.keyspace.history import all_newest_first
from worker.keyspace.keys import stream_keys
from worker.views.about_talk import AboutTalk
from worker.views.notes.cues import due_in, is_open, kind_of
from worker.views.search import search
from worker.views.sentences import Sentence

MOST_TOLD = 6  # of the most telling sentences
MOST_DECIDED = 3  # besides them
MIN_STANDING = 0.6
MAX_CHANGES = 20_000  # of the notes
NONE = {
    "decision": "nothing was decided so far",
    "action": "nobody has promised anything so far",
    "question": "no question is open so far",
    "highlights": "nothing was said so far",
}


def told(
    redis: Redis, stream: str, about: AboutTalk, said: Sequence[Sentence]
) -> list[Sentence] | None:
    """In the order in which they were said. said: what may be told. None: it has a subject of which
    no note is, so that a search knows more."""
    own = [one for one in said if not about.speakers or one.speaker in about.speakers]
    if about.wanted == "highlights":
        found = _highlights(own, about.subject)
        if not (about.subject or about.speakers):
            found = _with_decisions(redis, stream, about, said, found)
    else:
        found = list(_noted(redis, stream, about, said) or _of_kind(about.wanted, said))
        found = [one for one in found if _is_of(one, about.speakers)]
        if about.subject:
            found = _in_order(search(about.subject, found, most=len(found)).supports, found)
    return None if about.subject and not found else found


def _with_decisions(
    redis: Redis,
    stream: str,
    about: AboutTalk,
    said: Sequence[Sentence],
    found: Sequence[Sentence],
) -> list[Sentence]:
    """What a talk has decided is what it was about, the latest of it besides what tells most."""
    decided = list(_noted(redis, stream, replace(about, wanted="decision"), said))
    others = [one for one in found if one.text not in {other.text for other in decided}]
    both = [*decided[-MOST_DECIDED:], *others]
    return sorted(both, key=lambda one: id_order(one.entries[0]))


def _highlights(said: Sequence[Sentence], subject: str) -> list[Sentence]:
    if subject:
        return _in_order(search(subject, said, most=MOST_TOLD).supports, said)
    telling = [one for one in said if is_telling(one.text)]
    offered = [one for one in telling if standing(one.text) >= MIN_STANDING] or telling or said
    order = Highlighter.load().best_first([one.text for one in offered])
    return [offered[place] for place in sorted(islice(order, MOST_TOLD))]


def _in_order(found: Sequence[Sentence], said: Sequence[Sentence]) -> list[Sentence]:
    return [one for one in said if one in found]


def _noted(
    redis: Redis, stream: str, about: AboutTalk, said: Sequence[Sentence]
) -> Iterator[Sentence]:
    """Notes of the kind that still hold, as far as they are of what may be told."""
    key = stream_keys(stream).notes
    newest = list(islice(all_newest_first(redis, key), MAX_CHANGES))
    told = {entry for one in said for entry in one.entries}
    for note in present(reversed(newest)):
        is_told = about.last_seconds is None or told & set(note.cites)
        if note.kind == about.wanted and note.status == "open" and note.cites and is_told:
            yield Sentence(_with_due(note.text, note.due), note.who, note.cites)


def _of_kind(wanted: str, said: Sequence[Sentence]) -> Iterator[Sentence]:
    """For a stream that has no notes of the kind: by the rules that they are made by."""
    for place, one in enumerate(said):
        if is_open(said, place) if wanted == "question" else kind_of(one) == wanted:
            due = due_in(one.text) if wanted != "question" else ""
            yield replace(one, text=_with_due(one.text, due))


def _with_due(text: str, due: str) -> str:
    return f"{text} (due: {due})" if due else text


def _is_of(one: Sentence, speakers: Sequence[str]) -> bool:
    """Whether they said it, or it names them."""
    words = {word.strip(".,:;!?'’").removesuffix("'s") for word in one.text.split()}
    names = {part for speaker in speakers for part in speaker.split()}
    return not speakers or one.speaker in speakers or bool(words & names)
