"""Windows of running words, as streams show them: they begin and end anywhere.

Invariant: the pass decides everything. The batches of pass N are the same on every machine, so
that a training which was stopped goes on with the batch that it had not yet seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine.restore.marks import MARKS
from ops.restore.labels import UNKNOWN, Word
from ops.restore.recipe import Recipe

QUESTION = MARKS.index("?")
WINDOWS_SORTED = 4096

Span = tuple[int, int, bool]
"""First word, last word + 1, whether turns are shown."""


@dataclass(frozen=True)
class Texts:
    """All words one after another. tokens[first[i] : first[i + 1]] are those of word i."""

    tokens: np.ndarray
    first: np.ndarray
    marks: np.ndarray
    cases: np.ndarray
    after_end: np.ndarray
    begins_turn: np.ndarray
    documents: np.ndarray
    """Where each document begins, and the number of all words."""

    @property
    def num_words(self) -> int:
        return len(self.marks)


def texts_of(documents: Sequence[list[Word]], tokenizer: Tokenizer) -> Texts:
    words = [word for document in documents for word in document]
    vocabulary = sorted({word.raw for word in words})
    encoded = tokenizer.encode_batch(vocabulary, add_special_tokens=False)
    unknown = [tokenizer.token_to_id("[UNK]")]
    ids = {raw: one.ids or unknown for raw, one in zip(vocabulary, encoded, strict=True)}
    pieces = [ids[word.raw] for word in words]
    return Texts(
        tokens=np.array([i for one in pieces for i in one], dtype=np.int32),
        first=np.cumsum([0, *map(len, pieces)]),
        marks=np.array([word.mark for word in words], dtype=np.int16),
        cases=np.array([word.case for word in words], dtype=np.int16),
        after_end=np.array([word.is_after_end for word in words], dtype=bool),
        begins_turn=np.array([word.begins_turn for word in words], dtype=bool),
        documents=np.cumsum([0, *map(len, documents)]),
    )


@dataclass(frozen=True)
class Batch:
    """All [B, L]. The labels of a word stand at its first token; elsewhere they are UNKNOWN."""

    tokens: Tensor
    is_token: Tensor
    marks: Tensor
    cases: Tensor
    after_end: Tensor


class Windows:
    def __init__(self, texts: Texts, recipe: Recipe, begin: int, end: int):
        """begin, end: the tokens that stand before a window and after a turn."""
        self._texts, self._recipe = texts, recipe
        self._begin, self._end = begin, end

    def batches(self, number: int) -> list[list[Span]]:
        """All windows of pass `number`, those of about one length together."""
        rng = np.random.default_rng((self._recipe.seed, number))
        spans = [
            (start, stop, bool(rng.random() < self._recipe.seen_turns_share))
            for start, stop in self._cuts(rng)
        ]
        again = self._recipe.question_again
        spans += [span for span in spans if self._asks(span) and rng.random() < again]
        order = rng.permutation(len(spans))
        batches = [
            batch
            for part in np.array_split(order, max(1, len(order) // WINDOWS_SORTED))
            for batch in self._by_length([spans[i] for i in part])
        ]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _asks(self, span: Span) -> bool:
        return bool((self._texts.marks[span[0] : span[1]] == QUESTION).any())

    def _cuts(self, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """(first word, last word + 1) of windows that follow one another."""
        recipe = self._recipe
        for begin, end in pairwise(self._texts.documents.tolist()):
            start = begin
            while start < end:
                is_short = rng.random() < recipe.short_share
                most = recipe.short_words if is_short else recipe.max_window_words
                stop = min(start + int(rng.integers(recipe.min_window_words, most + 1)), end)
                if rng.random() < recipe.turn_end_share:
                    stop = self._turn_end(start, stop)
                yield start, stop
                start = stop

    def _turn_end(self, start: int, stop: int) -> int:
        """The last end of a turn up to here, if that leaves a word."""
        ends = np.flatnonzero(self._texts.begins_turn[start + 1 : stop + 1])
        return start + 1 + int(ends[-1]) if len(ends) else stop

    def _by_length(self, spans: list[Span]) -> Iterator[list[Span]]:
        first = self._texts.first
        spans = sorted(spans, key=lambda span: int(first[span[1]] - first[span[0]]))
        batch: list[Span] = []
        for span in spans:
            length = int(first[span[1]] - first[span[0]]) + 2
            if batch and (len(batch) + 1) * length > self._recipe.tokens_per_step:
                yield batch
                batch = []
            batch.append(span)
        yield batch

    def tensors(self, batch: Sequence[Span]) -> Batch:
        rows = [self._row(*span) for span in batch]
        length = max(len(row[0]) for row in rows)
        blank = (0, UNKNOWN, UNKNOWN, 0)
        padded = np.array(
            [
                [
                    np.pad(column, (0, length - len(column)), constant_values=fill)
                    for column, fill in zip(row, blank, strict=True)
                ]
                for row in rows
            ]
        )
        tokens, marks, cases, after = torch.from_numpy(padded.astype(np.int64)).unbind(1)
        sizes = torch.tensor([len(row[0]) for row in rows])
        is_token = torch.arange(length)[None] < sizes[:, None]
        return Batch(tokens, is_token, marks, cases, after)

    def _row(self, start: int, stop: int, with_turns: bool) -> tuple[list[int], ...]:
        texts = self._texts
        rows: tuple[list[int], ...] = [self._begin], [UNKNOWN], [UNKNOWN], [0]
        for word in range(start, stop):
            if with_turns and word > start and texts.begins_turn[word]:
                _append(rows, [self._end], UNKNOWN, UNKNOWN, 0)
            tokens = texts.tokens[texts.first[word] : texts.first[word + 1]].tolist()
            labels = texts.marks[word], texts.cases[word], texts.after_end[word]
            _append(rows, tokens, *map(int, labels))
        ends = stop == texts.num_words or texts.begins_turn[stop]
        if with_turns and ends:
            _append(rows, [self._end], UNKNOWN, UNKNOWN, 0)
        return rows


def _append(
    rows: tuple[list[int], ...], tokens: list[int], mark: int, case: int, after: int
) -> None:
    rest = len(tokens) - 1
    for column, values in zip(
        rows,
        (tokens, [mark, *[UNKNOWN] * rest], [case, *[UNKNOWN] * rest], [after] * len(tokens)),
        strict=True,
    ):
        column += values
