"""Samples of summarising: a passage of at most one window -> one to four sentences.

People summarised whole meetings and stories; a window shows a part. So the sentences of a long
summary are laid, in order and a few at a time, against the window of the text that shares most of
their rare words. That is a guess, and the only honest use of such pairs in a short window.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from engine.text.prompts import SUMMARISE, SUMMARISE_ON
from ops.pretrain.corpus import Line, Pair

MAX_SENTENCES = 4
MIN_PASSAGE_WORDS, MAX_PASSAGE_WORDS = 40, 560
MAX_ANSWER_WORDS = 110
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
_CONTENT_WORD = re.compile(r"[a-z]{4,}|[0-9]+")


class SummarySample(NamedTuple):
    passage: tuple[Line, ...]
    previous: str
    answer: str

    @property
    def instruction(self) -> str:
        return SUMMARISE_ON.format(summary=self.previous) if self.previous else SUMMARISE


def summary_samples(pairs: Iterable[Pair], rng: np.random.Generator) -> Iterator[SummarySample]:
    """One sample of a pair that fits a window; of a long one, a sample for every few sentences."""
    for pair in pairs:
        sentences = [s for s in _SENTENCE_END.split(pair.summary) if s]
        if not pair.passage or not sentences:
            continue
        if _num_words(pair.passage) <= MAX_PASSAGE_WORDS:
            yield from _of_short(pair.passage, sentences)
        else:
            yield from _of_long(pair.passage, sentences, rng)


def _of_short(passage: tuple[Line, ...], sentences: list[str]) -> Iterator[SummarySample]:
    yield SummarySample(passage, "", _join(sentences))
    if len(sentences) > 2:
        half = len(sentences) // 2
        yield SummarySample(passage, _join(sentences[:half]), _join(sentences[half:]))


def _of_long(
    passage: tuple[Line, ...], sentences: list[str], rng: np.random.Generator
) -> Iterator[SummarySample]:
    windows = _Windows(passage)
    start = 0
    while start < len(sentences):
        stop = start + int(rng.integers(1, MAX_SENTENCES))
        answer = _join(sentences[start:stop])
        previous = _join(sentences[max(0, start - 2) : start]) if rng.random() < 0.6 else ""
        num_words = int(rng.integers(MIN_PASSAGE_WORDS * 2, MAX_PASSAGE_WORDS))
        yield SummarySample(windows.closest(answer, num_words), previous, answer)
        start = stop


class _Windows:
    """Finds the stretch of lines that shares the most rare words with a sentence."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self._lines = lines
        self._words = [_content_words(line.render()) for line in lines]
        self._ends = np.cumsum([len(line.text.split()) + 1 for line in lines])
        counts = Counter(word for words in self._words for word in words)
        self._rarity = {word: math.log(len(lines) / n) for word, n in counts.items()}

    def closest(self, sentence: str, num_words: int) -> tuple[Line, ...]:
        """About `num_words` words of whole lines; never empty."""
        asked = _content_words(sentence)
        scores = [sum(self._rarity[word] for word in asked & words) for words in self._words]
        total = np.concatenate([[0.0], np.cumsum(scores)])
        starts = np.arange(len(self._lines))
        before = np.concatenate([[0], self._ends[:-1]])
        stops = np.maximum(np.searchsorted(self._ends, before + num_words), starts + 1)
        best = int(np.argmax(total[stops] - total[starts]))
        return self._lines[best : int(stops[best])]


def _content_words(text: str) -> set[str]:
    return set(_CONTENT_WORD.findall(text.lower()))


def _join(sentences: list[str]) -> str:
    """At most MAX_SENTENCES, and whole sentences only, within MAX_ANSWER_WORDS after the first."""
    kept = sentences[:1]
    for sentence in sentences[1:MAX_SENTENCES]:
        if len(" ".join([*kept, sentence]).split()) > MAX_ANSWER_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept)


def _num_words(lines: tuple[Line, ...]) -> int:
    return sum(len(line.text.split()) for line in lines)
