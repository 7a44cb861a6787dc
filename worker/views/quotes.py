"""Summaries in the speakers' own words, for a model that is too small to be trusted with its own.

Invariant: the answer is a choice of the quotes offered, each whole, each at most once, in the order
in which they were offered; so a summary cannot say what nobody said. The model chooses.

Which sentences are offered is decided by the words that the text itself repeats (SumBasic, Nenkova
& Vanderwende 2005, "The Impact of Frequency on Summarization").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine import Only

MAX_OFFERED = 6
MAX_OLD = 1
MAX_QUOTES = 5
MIN_NEW = 3  # if so many are offered and fit: the last one alone is not a summary
MIN_WORDS, MAX_WORDS = 6, 32


def offered(lines: Sequence[str]) -> list[str]:
    """The sentences of `lines` ("Speaker: text" or "text") that say most, in their order."""
    sentences = [sentence for line in lines for sentence in _sentences(line)]
    fitting = [sentence for sentence in sentences if _says_something(sentence)] or [
        " ".join(sentence.split()[:MAX_WORDS]) for sentence in sentences
    ]
    frequency = Counter(word for sentence in sentences for word in _content(sentence))
    best = sorted(set(fitting), key=lambda s: (-_weight(s, frequency), s))[:MAX_OFFERED]
    return [sentence for sentence in dict.fromkeys(fitting) if sentence in best]


def _sentences(line: str) -> list[str]:
    speaker = _speaker(line)
    parts = re.split(r"(?<=[.?!])\s+", line.removeprefix(speaker))
    return [f"{speaker}{part}" for part in parts if part.strip()]


def _speaker(line: str) -> str:
    """ "Ann: " of "Ann: text"; "" if nobody is named."""
    speaker, colon, _ = line.partition(": ")
    return speaker + colon if colon and len(speaker.split()) <= 3 else ""


def _says_something(sentence: str) -> bool:
    """A statement, neither too short to stand alone nor too long to be quoted."""
    words = sentence.removeprefix(_speaker(sentence)).split()
    return MIN_WORDS <= len(words) <= MAX_WORDS and not sentence.endswith("?")


def _content(sentence: str) -> set[str]:
    """Its longer words: those that carry a subject in most languages written with spaces."""
    return {word for word in re.findall(r"\w+", sentence.lower()) if len(word) > 4}


def _weight(sentence: str, frequency: Counter[str]) -> float:
    words = _content(sentence)
    return sum(frequency[word] for word in words) / (len(words) + 3)


@dataclass(frozen=True)
class Quote:
    """is_old: taken over from the summary before."""

    tokens: tuple[int, ...]
    is_old: bool


class QuoteConstraint:
    """Satisfies `engine.Constraint`. Every quote ends in a line end, so none begins another."""

    def __init__(self, quotes: Sequence[Quote], *, stop: frozenset[int], max_tokens: int):
        """Old quotes come first. Those that do not fit into `max_tokens` are not offered, and at
        least one new one that does is needed: ValueError."""
        self._left = [quote for quote in quotes if len(quote.tokens) <= max_tokens]
        if not any(not quote.is_old for quote in self._left):
            raise ValueError(f"no new quote fits into {max_tokens} tokens")
        self._stop = stop
        self._budget = max_tokens
        self._wanted = min(MIN_NEW, sum(not quote.is_old for quote in self._left))
        self._chosen: list[Quote] = []
        self._written: list[int] = []  # of the quote that is being written

    def allowed(self) -> Only:
        place = len(self._written)
        ids = {quote.tokens[place] for quote in self._possible()}
        may_end = place == 0 and self._num_new >= self._wanted
        return Only(ids | self._stop if may_end else ids)

    def accept(self, token_id: int) -> None:
        if not self._written and token_id in self._stop:
            self._left = []
            return
        self._written.append(token_id)
        done = [quote for quote in self._possible() if len(quote.tokens) == len(self._written)]
        if done:
            self._left = self._left[self._left.index(done[0]) + 1 :]
            self._budget -= len(self._written)
            self._chosen.append(done[0])
            self._written = []

    @property
    def is_complete(self) -> bool:
        return not self._written and not self._possible()

    @property
    def _num_new(self) -> int:
        return sum(not quote.is_old for quote in self._chosen)

    def _possible(self) -> list[Quote]:
        """The quotes that may come next, or that the one being written may be."""
        if len(self._chosen) == MAX_QUOTES:
            return []
        begun = tuple(self._written)
        fitting = [
            quote
            for quote in self._left
            if quote.tokens[: len(begun)] == begun and self._has_room(quote)
        ]
        return [quote for quote in fitting if self._leaves_enough(quote)] or fitting

    def _leaves_enough(self, quote: Quote) -> bool:
        """Whether as many new ones follow `quote` as are wanted after it."""
        after = self._left[self._left.index(quote) + 1 :]
        num_new = self._num_new + (not quote.is_old)
        return sum(not other.is_old for other in after) >= self._wanted - num_new

    def _has_room(self, quote: Quote) -> bool:
        if not quote.is_old:
            return len(quote.tokens) <= self._budget
        shortest_new = min(len(other.tokens) for other in self._left if not other.is_old)
        num_old = sum(chosen.is_old for chosen in self._chosen)
        return num_old < MAX_OLD and len(quote.tokens) + shortest_new <= self._budget
