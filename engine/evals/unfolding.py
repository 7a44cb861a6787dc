"""A summary that is kept up to date, measured over the talk that it follows.

A state is the summary as it stood when so many words had been said. Online measures as for
subtitles and streaming translation: how late words come, and how much is taken back. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.evals.rouge import num_in_order, rouge, words

NUM_PARTS = 10
RUN = 3  # words in a row that say where something comes from
MIN_CONTENT = 5  # letters of a word that carries a subject
_NUMBER_OR_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w'’]+|\b\d[\d.,:]*\d\b|\b\d\b")


@dataclass(frozen=True)
class State:
    num_said: int  # words
    text: str


def area(states: Sequence[State], reference: str, num_said: int) -> float:
    """ROUGE-1 over the whole talk: each state counts for as long as it stands."""
    ends = [*(state.num_said for state in states[1:]), num_said]
    spans = zip(states, ends, strict=False)  # there may be no state
    held = sum((end - s.num_said) * rouge(s.text, reference).one for s, end in spans)
    return held / max(1, num_said)


def latency(states: Sequence[State], said: Sequence[str]) -> float | None:
    """Words said between a word's being said and its being in the summary: the mean over the words
    that carry a subject, as each comes in. said: the talk's words."""
    waits = []
    before: set[str] = set()
    for state in states:
        last = {word: place for place, word in enumerate(said[: state.num_said])}
        now = content(state.text)
        waits += [state.num_said - 1 - last[word] for word in now - before if word in last]
        before = now
    return sum(waits) / len(waits) if waits else None


def erasure(states: Sequence[State]) -> float:
    """The share of a state's words that the next has no more, or in another order."""
    texts = [words(state.text) for state in states]
    kept = [num_in_order(old, new) / len(old) for old, new in pairwise(texts) if old]
    return 1 - sum(kept) / len(kept) if kept else 0.0


def redundancy(text: str) -> float:
    """The share of its word pairs that it has had before."""
    pairs = list(pairwise(words(text)))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0


def coverage(text: str, said: Sequence[str]) -> float:
    """The share of the talk's tenths of which the text has words in a row."""
    runs = _runs(words(text))
    size = -(-len(said) // NUM_PARTS) or 1
    parts = [said[i : i + size + RUN - 1] for i in range(0, len(said), size)]
    return sum(bool(runs & _runs(part)) for part in parts) / max(1, len(parts))


def content(text: str) -> set[str]:
    return {word for word in words(text) if len(word) >= MIN_CONTENT or word.isdigit()}


def grounded(text: str, said: Sequence[str]) -> tuple[int, int]:
    """Of its numbers, and its words with capitals inside a sentence: how many were said, and how
    many there are."""
    known = set(said)
    found = [part for one in _NUMBER_OR_NAME.findall(text) for part in words(one)]
    return sum(part in known for part in found), len(found)


def _runs(tokens: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(tokens[i:] for i in range(RUN)), strict=False))
