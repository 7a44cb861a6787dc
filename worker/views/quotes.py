"""Summaries in the speakers' own words, for a model that is too small to be trusted with its own.

Invariant: a summary is whole sentences that were said, each once, in the order in which they were
said: it cannot say what nobody said. Only a sentence that alone is longer than a summary may be is
cut. They are the most telling ones (engine/sentences) of what is new, and those of before that
still are; what is kept besides has the chance to come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine import Highlighter, is_telling
from worker.intake.feed import Line
from worker.views.sentences import sentences

MAX_KEPT = 24


@dataclass(frozen=True)
class Quote:
    speaker: str
    text: str

    @property
    def line(self) -> str:
        return f"{self.speaker}: {self.text}" if self.speaker else self.text

    def begins(self, other: Quote) -> bool:
        return self.speaker == other.speaker and other.text.startswith(self.text)


@dataclass(frozen=True)
class Chosen:
    """text: the summary. kept: what to choose from next time, in its order."""

    text: str
    kept: tuple[Quote, ...] = ()


class Quotes:
    """Chooses, for all streams: it holds no stream's state."""

    def __init__(
        self, highlighter: Highlighter, *, max_tokens: int, num_tokens: Callable[[str], int]
    ):
        """num_tokens: of a text."""
        self._highlighter = highlighter
        self._max_tokens = max_tokens
        self._num_tokens = num_tokens

    def choose(self, kept: Sequence[Quote], lines: Sequence[Line], *, goes_on: bool) -> Chosen:
        """lines: what is new. goes_on: the last sentence may not be over; it will be seen whole."""
        new = quotable(lines, goes_on=goes_on)
        old = [quote for quote in kept if not any(quote.begins(other) for other in new)]
        offered = [*old, *new]
        order = list(self._highlighter.best_first([quote.text for quote in offered]))
        shown = self._shown(offered, order, num_old=len(old))
        if not shown:
            return Chosen(self._beginning(offered[len(old) :]), tuple(kept))
        places = {*shown, *order[:MAX_KEPT]}
        text = "\n".join(offered[place].line for place in sorted(shown))
        return Chosen(text, tuple(offered[place] for place in sorted(places)))

    def _shown(self, offered: Sequence[Quote], order: Sequence[int], *, num_old: int) -> list[int]:
        """What fits: first the most telling one of those that are new, then as they come."""
        room, shown = self._max_tokens, list[int]()
        new_first = sorted(order, key=lambda place: place < num_old)
        for place in [*new_first[:1], *order]:
            num = self._num_tokens(f"{offered[place].line}\n")
            if num <= room and place not in shown:
                shown.append(place)
                room -= num
        return shown

    def _beginning(self, new: Sequence[Quote]) -> str:
        """As much of the most telling new sentence as fits, when none does as a whole."""
        best = next(iter(self._highlighter.best_first([quote.text for quote in new])), None)
        words = new[best].line.split() if best is not None else []
        while words and self._num_tokens(" ".join(words)) > self._max_tokens:
            words.pop()
        return " ".join(words)


def quotable(lines: Sequence[Line], *, goes_on: bool) -> list[Quote]:
    """The sentences of `lines` that say something by themselves, each once; if none does, all."""
    found = sentences(lines)
    if goes_on and len(found) > 1 and not found[-1].is_whole:
        found.pop()
    telling = [sentence for sentence in found if is_telling(sentence.text)]
    return list(dict.fromkeys(Quote(one.speaker, one.text) for one in telling or found))
