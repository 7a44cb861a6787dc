"""Notes for every model: what was said, word for word, and which of it is worth a note.

Invariant: the text of an item is a sentence that was said, `who` is who said it, and its citations
are the entries that it came in. Of what is new at most one sentence in so many words is noted, the
most telling ones; questions only while nobody has answered them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.intake.feed import Line
from worker.views.notes.cues import (
    answer_to,
    due_in,
    is_open,
    kind_of,
    later_answer_to,
    says_nothing,
)
from worker.views.notes.item import Add, Item, Operation, Resolve
from worker.views.notes.notebook import Notebook
from worker.views.notes.telling import likeness, telling
from worker.views.sentences import Sentence, sentences

WORDS_PER_NOTE = 120
MAX_NEW = 6
MAX_QUESTIONS = 2
MIN_WORDS = 6
MAX_LIKENESS = 0.6  # to what is noted already
CUE_SALIENCE = 0.3  # more: what somebody decides or promises is looked for first

# How much each of these sentences tells; 0 to 1, or so.
Salience = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class Chosen:
    """A `notes.Step` that is done as soon as it has begun."""

    operations: Sequence[Operation]

    def advance(self) -> Sequence[Operation]:
        return self.operations

    def close(self) -> None:
        """It holds nothing."""


class Highlights:
    """Chooses, for all streams: it holds no stream's state."""

    def __init__(self, salience: Salience):
        self._salience = salience

    def begin(self, book: Notebook, lines: Sequence[Line], *, is_paused: bool) -> Chosen:
        return Chosen(self.operations(book, lines, is_paused=is_paused))

    def operations(
        self, book: Notebook, lines: Sequence[Line], *, is_paused: bool
    ) -> list[Operation]:
        """What becomes of the notes by these lines. is_paused: a sentence that has begun is taken
        as it is; otherwise it is left to the next step, which sees all of it."""
        said = [one for one in sentences(lines) if one.is_whole or is_paused]
        if not said:
            return []
        resolved = _resolved(book, said)
        return [*resolved, *self._added(book, said)]

    def _added(self, book: Notebook, said: Sequence[Sentence]) -> list[Operation]:
        """In the order in which they were said."""
        num_words = sum(sentence.num_words for sentence in said)
        num_wanted = min(MAX_NEW, max(1, round(num_words / WORDS_PER_NOTE)))
        noted = [telling(item.text) for item in book.items]
        chosen = list[int]()
        for place in self._best_first(said):
            words = telling(said[place].text)
            if all(likeness(words, other) <= MAX_LIKENESS for other in noted):
                chosen.append(place)
                noted.append(words)
            if len(chosen) == num_wanted:
                break
        questions = [
            place
            for place in range(len(said))
            if is_open(said, place)
            and all(likeness(telling(said[place].text), other) <= MAX_LIKENESS for other in noted)
        ]
        return [_add(said[place]) for place in sorted({*chosen, *questions[-MAX_QUESTIONS:]})]

    def _best_first(self, said: Sequence[Sentence]) -> list[int]:
        """Places of the statements that are long enough to stand alone."""
        weights = list(self._salience([sentence.text for sentence in said]))
        for place, sentence in enumerate(said):
            if kind_of(sentence) in ("decision", "action"):
                weights[place] += CUE_SALIENCE
        fitting = [
            place
            for place, sentence in enumerate(said)
            if sentence.num_words >= MIN_WORDS
            and not (sentence.is_question or says_nothing(sentence))
        ]
        return sorted(fitting, key=lambda place: (-weights[place], place))


def _resolved(book: Notebook, said: Sequence[Sentence]) -> list[Operation]:
    """The questions that are answered by this. One that was the last word before is answered as
    people talk: by what comes next."""
    operations = list[Operation]()
    for item in (item for item in book.items if item.kind == "question"):
        find = answer_to if item.cites[-1] == book.reached else later_answer_to
        if answer := find(item.text, item.who, _after(item, said)):
            operations.append(Resolve(item.id, answer.entries))
    return operations


def _after(item: Item, said: Sequence[Sentence]) -> Sequence[Sentence]:
    """Without the question itself, if the step sees it again, and what was said before it."""
    places = [at for at, sentence in enumerate(said) if sentence.text == item.text]
    return said[places[-1] + 1 :] if places else said


def _add(sentence: Sentence) -> Add:
    kind = kind_of(sentence)
    due = due_in(sentence.text) if kind in ("action", "decision") else ""
    return Add(kind, sentence.text, sentence.entries, sentence.speaker, due)
