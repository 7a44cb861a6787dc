"""Samples of restoring: raw words -> the same words with capitals and punctuation.

A word of the answer is lower, Capitalised or UPPER and carries at most one mark; what does not fit
(a bracket, "McDonald", "3.5") ends a run, so that a sample never asks for what the runtime's
constraint forbids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ops.pretrain.corpus import Document

# A user's turn, perhaps after a line of the text restored so far. The encoder of engine/restore
# does this work now; the model is still trained to do it, and is what the encoder is compared with.
RESTORE = "Write with capitals and punctuation: {raw}"
MARKS = ".,?!;:"
MIN_WORDS, MAX_WORDS, MAX_CONTEXT_WORDS = 3, 60, 20
_WORD = re.compile(rf"'*(\w+(?:['-]\w+)*)'*([{MARKS}]?)'*")
_DASHES_AND_QUOTES = re.compile(r"--+|\u2014|\u2013|(?<!\w)-|-(?!\w)|[\"*_]")


class Word(NamedTuple):
    core: str
    mark: str

    def __str__(self) -> str:
        return self.core + self.mark


class RestoreSample(NamedTuple):
    context: str
    raw: str
    answer: str

    @property
    def question(self) -> str:
        """The content of the user's message."""
        asked = RESTORE.format(raw=self.raw)
        return f"{self.context}\n{asked}" if self.context else asked


def runs_of_words(documents: Iterable[Document]) -> list[list[Word]]:
    """Every stretch of at least MIN_WORDS restorable words, across lines."""
    runs = (run for document in documents for run in _runs(document))
    return [run for run in runs if len(run) >= MIN_WORDS]


def _runs(document: Document) -> Iterator[list[Word]]:
    run: list[Word] = []
    for line in document.lines:
        heading = line.text.isupper() and len(line.text) > 3
        for token in _DASHES_AND_QUOTES.sub(" ", line.text).split():
            word = None if heading else as_word(token)
            if word:
                run.append(word)
            else:
                yield run
                run = []
    yield run


def as_word(token: str) -> Word | None:
    """The word and its mark; None when the token is nothing that can be restored."""
    match = _WORD.fullmatch(token)
    if not match:
        return None
    core = match[1]
    fits = core in (core.lower(), core.upper(), core[0].upper() + core[1:].lower())
    return Word(core, match[2]) if fits else None


def restore_samples(
    runs: Sequence[list[Word]], num_samples: int, rng: np.random.Generator
) -> Iterator[RestoreSample]:
    """Cut at any word, more often than not at the ends of sentences; half of them with context."""
    lengths = np.array([len(run) for run in runs], dtype=np.float64)
    for index in rng.choice(len(runs), size=num_samples, p=lengths / lengths.sum()):
        yield _cut(runs[index], rng)


def _cut(run: list[Word], rng: np.random.Generator) -> RestoreSample:
    start = int(rng.integers(0, len(run) - MIN_WORDS + 1))
    if rng.random() < 0.6:
        start = _sentence_start(run, start)
    size = int(rng.integers(MIN_WORDS, MAX_WORDS + 1) * rng.choice((0.4, 1.0)))
    stop = min(start + max(size, MIN_WORDS), len(run))
    if rng.random() < 0.5:
        stop = _sentence_stop(run, start, stop)
    words = run[start:stop]
    num_context = int(rng.integers(1, MAX_CONTEXT_WORDS + 1)) if rng.random() < 0.5 else 0
    return RestoreSample(
        context=" ".join(map(str, run[max(0, start - num_context) : start])),
        raw=" ".join(word.core.lower() for word in words),
        answer=" ".join(map(str, words)),
    )


def _sentence_start(run: list[Word], start: int) -> int:
    """The first start of a sentence from here on, when one is near."""
    for i in range(start, min(start + 40, len(run) - MIN_WORDS + 1)):
        if i == 0 or run[i - 1].mark in (".", "?", "!"):
            return i
    return start


def _sentence_stop(run: list[Word], start: int, stop: int) -> int:
    """The last end of a sentence up to here, if that leaves MIN_WORDS."""
    for i in range(stop, start + MIN_WORDS - 1, -1):
        if run[i - 1].mark in (".", "?", "!"):
            return i
    return stop
