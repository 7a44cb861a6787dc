"""Notes for every model: what was said, word for word, and which of it is worth a note.

Invariant: the text of an item is a sentence that was said, `who` is who said it, and its citations
are the entries that it came in. What is decided and promised is noted; of the rest at most one
sentence in so many words, the most telling ones of those that stand alone; questions while nobody
has answered them. There are few facts at any time: those that tell least give way to new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine import is_telling, standing
from worker.intake.feed import Line
from worker.views.notes.cues import (
    answer_to,
    due_in,
    is_open,
    kind_of,
    later_answer_to,
    says_nothing,
)
from worker.views.notes.item import KINDS, Add, Drop, Item, Kind, Operation, Resolve
from worker.views.notes.notebook import MAX_OPEN, Notebook
from worker.views.notes.telling import likeness, telling
from worker.views.sentences import Sentence, sentences

WORDS_PER_NOTE = 120
MAX_NEW = 6  # of a kind, in a step
MAX_QUESTIONS = 2
MIN_WORDS = 5  # of what somebody decides or promises
MAX_FACTS = 16
MAX_LIKENESS = 0.6  # to what is noted already
CUE_SALIENCE = 0.3  # more: what somebody decides or promises is looked for first
MIN_STANDING = {"fact": 0.6, "decision": 0.45, "action": 0.45, "question": 0.45}
ALONE = 0.1  # how much more a sentence tells that stands alone

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
        resolved, added = _resolved(book, said), self._added(book, said)
        # Dropped first: what is added to a full book would push facts out that nobody dropped.
        return [*resolved, *self._dropped(book, added), *added]

    def _added(self, book: Notebook, said: Sequence[Sentence]) -> list[Add]:
        """In the order in which they were said."""
        num_words = sum(sentence.num_words for sentence in said)
        most = dict.fromkeys(KINDS, MAX_NEW)
        most["fact"] = min(MAX_NEW, max(1, round(num_words / WORDS_PER_NOTE)))
        noted = [telling(item.text) for item in book.items]
        chosen = list[int]()
        for place in self._best_first(said):
            words, kind = telling(said[place].text), kind_of(said[place])
            if most[kind] and all(likeness(words, other) <= MAX_LIKENESS for other in noted):
                chosen.append(place)
                noted.append(words)
                most[kind] -= 1
        questions = [
            place
            for place in range(len(said))
            if is_open(said, place)
            and standing(said[place].text) >= MIN_STANDING["question"]
            and all(likeness(telling(said[place].text), other) <= MAX_LIKENESS for other in noted)
        ]
        return [_add(said[place]) for place in sorted({*chosen, *questions[-MAX_QUESTIONS:]})]

    def _best_first(self, said: Sequence[Sentence]) -> list[int]:
        """Places of the statements that may be noted."""
        kinds = [kind_of(sentence) for sentence in said]
        weights = self._weights([sentence.text for sentence in said])
        for place, kind in enumerate(kinds):
            weights[place] += CUE_SALIENCE * (kind in ("decision", "action"))
        fitting = [place for place, kind in enumerate(kinds) if _is_fit(said[place], kind)]
        return sorted(fitting, key=lambda place: (-weights[place], place))

    def _weights(self, texts: Sequence[str]) -> list[float]:
        salience = self._salience(texts)
        return [one + ALONE * standing(text) for one, text in zip(salience, texts, strict=True)]

    def _dropped(self, book: Notebook, added: Sequence[Add]) -> list[Drop]:
        """Facts of before, as many as there would be too many, those first that tell least."""
        facts = [item for item in book.items if item.kind == "fact"]
        num_new = sum(add.kind == "fact" for add in added)
        num_others = len(book.items) - len(facts) + len(added) - num_new
        num_places = max(0, min(MAX_FACTS, MAX_OPEN - num_others) - num_new)
        weights = self._weights([item.text for item in facts])
        order = sorted(range(len(facts)), key=lambda place: (weights[place], place))
        return [Drop(facts[place].id) for place in order[: max(0, len(facts) - num_places)]]


def _is_fit(sentence: Sentence, kind: Kind) -> bool:
    is_long = sentence.num_words >= MIN_WORDS if kind != "fact" else is_telling(sentence.text)
    is_statement = not (sentence.is_question or says_nothing(sentence))
    return is_statement and is_long and standing(sentence.text) >= MIN_STANDING[kind]


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
