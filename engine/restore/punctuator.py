"""Passages in, written words out, many streams in one forward pass.

Invariant: what a passage becomes depends on nothing but the passage. It is computed in a shape that
its own length decides, TOKENS_STEP tokens at a time, and in products of whole tiles of rows each
row comes out the same, bit by bit, whoever else is in the step. (Measured: in products of fewer
than 16 rows, and of an odd number of them, it does not.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.restore.encoder import Encoder
from engine.restore.joints import is_in_address, may_part
from engine.restore.marks import CASES, MARKS, SENTENCE_ENDS
from engine.restore.passage import Passage, Reader, Reading
from engine.restore.spelling import named, plain, spelled
from engine.restore.stored import BUNDLED, Habits, best_dtype, load

MAX_STEP_TOKENS = 2048
NAME_BONUS = 2.5  # a word that the stream has as a name is one twelve times as likely
REACH = 4  # words around a passage that joints.py looks at


class Punctuator:
    """Says of each word which mark follows it and how it is written. Keeps nothing in between."""

    def __init__(self, encoder: Encoder, reader: Reader, habits: Habits):
        self._encoder, self._reader, self._habits = encoder, reader, habits
        self._bias = torch.tensor(habits.mark_bias)

    @classmethod
    def load(cls, folder: Path | None = None) -> Punctuator:
        """folder: None for the one that comes with Weir. Raises ConfigError."""
        encoder, tokenizer, habits = load(folder or BUNDLED, best_dtype())
        return cls(encoder, Reader(tokenizer), habits)

    @property
    def languages(self) -> tuple[str, ...]:
        return self._habits.languages

    def read(self, passage: Passage) -> Reading:
        return self._reader.read(passage)

    def restore(self, passages: Sequence[Passage]) -> list[tuple[str, ...]]:
        """The words of each passage, written."""
        readings = [self.read(passage) for passage in passages]
        written: list[tuple[str, ...]] = [()] * len(passages)
        for batch in batches([reading.length for reading in readings]):
            these = self.write([passages[i] for i in batch], [readings[i] for i in batch])
            for i, words in zip(batch, these, strict=True):
                written[i] = words
        return written

    @torch.inference_mode()
    def write(
        self, passages: Sequence[Passage], readings: Sequence[Reading]
    ) -> list[tuple[str, ...]]:
        """One step. readings: those of the passages, all of one length."""
        states = self._states(readings)
        return [
            self._write(passage, of_passage[reading.places])
            for passage, reading, of_passage in zip(passages, readings, states, strict=True)
        ]

    @torch.inference_mode()
    def mark_scores(self, passage: Passage) -> Tensor:
        """[W, marks], as the encoder gives them: without what its habits add."""
        reading = self.read(passage)
        scores: Tensor = self._encoder.mark(self._states([reading])[0][reading.places]).float()
        return scores

    def _states(self, readings: Sequence[Reading]) -> Tensor:
        """-> [B, length, H]"""
        shape = len(readings), readings[0].length
        tokens = torch.zeros(shape, dtype=torch.long)
        is_token = torch.zeros(shape, dtype=torch.bool)
        for row, reading in enumerate(readings):
            tokens[row, : len(reading.tokens)] = torch.tensor(reading.tokens)
            is_token[row, : len(reading.tokens)] = True
        states: Tensor = self._encoder(tokens, is_token)
        return states

    def _write(self, passage: Passage, states: Tensor) -> tuple[str, ...]:
        """states [W, H] of its words."""
        near = passage.before[-REACH:]
        words = tuple(map(plain, (*near, *passage.words, *passage.after[:REACH])))
        places = range(len(near), len(near) + len(passage.words))
        scores = self._encoder.mark(states).float() + self._bias
        best = [MARKS[i] for i in scores.argmax(-1).tolist()]
        marks = [m if may_part(words, i) else "" for m, i in zip(best, places, strict=True)]
        cases = self._cases(passage, states, marks)
        return tuple(
            self._spelled(word, "lower" if is_in_address(words, i) else case, mark, passage.names)
            for word, case, mark, i in zip(passage.words, cases, marks, places, strict=True)
        )

    def _cases(self, passage: Passage, states: Tensor, marks: list[str]) -> list[str]:
        last = passage.before[-1][-1] if passage.before else "."
        after_end = [mark != "" and mark in SENTENCE_ENDS for mark in (last, *marks[:-1])]
        scores = self._encoder.cases(states, torch.tensor(after_end, dtype=torch.long)).float()
        is_name = [named(word, passage.names) is not None for word in passage.words]
        scores[:, 0] -= NAME_BONUS * torch.tensor(is_name)
        return [CASES[i] for i in scores.argmax(-1).tolist()]

    def _spelled(self, word: str, case: str, mark: str, names: Mapping[str, str]) -> str:
        """A name that the encoder knows as a word too ("will", "mark") is written as it means it;
        one that it does not know, always as the stream writes it."""
        is_word = case == "lower" and self._reader.knows(word)
        return spelled(word, case, mark, {} if is_word else names)


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Their indices, the first one first, those of one length together: at most MAX_STEP_TOKENS at
    a time, and a power of two, so that there are few shapes for the libraries below to remember."""
    for length in dict.fromkeys(lengths):
        same = [i for i, other in enumerate(lengths) if other == length]
        while same:
            most = min(len(same), max(1, MAX_STEP_TOKENS // length))
            size = 1 << most.bit_length() - 1
            yield same[:size]
            same = same[size:]
