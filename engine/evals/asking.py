"""Questions about the lines of an endless record, and how an answer is judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from torch import Tensor

from engine.evals.numbered_lines import PREAMBLE, Record
from engine.model.lone_stream import LoneStream
from engine.model.model import StreamingModel
from engine.schedule.scheduler import Segment
from engine.schedule.window import Window
from engine.text.tokenizer import Tokenizer


class Question(NamedTuple):
    """Token ids. `wrong` is what the line beside the one that is asked for says.

    Tokens are predicted by those before them. The last of the answer's predictors counts `to_begin`
    tokens, itself included, back to the first one of the line that is asked for, and the first
    predictor counts `to_end` back to the last one.
    """

    asked: list[int]
    right: list[int]
    wrong: list[int]
    to_begin: int
    to_end: int

    @property
    def texts(self) -> tuple[list[int], list[int]]:
        """What is read to judge an answer: the question with the right one, and with the wrong."""
        return self.asked + self.right[:-1], self.asked + self.wrong[:-1]

    def verdict(self, logits_of_right: Tensor, logits_of_wrong: Tensor) -> Verdict:
        """From the logits of the two texts."""
        right = logits_of_right[-len(self.right) :]
        wrong = logits_of_wrong[-len(self.wrong) :]
        return Verdict(
            is_exact=right.argmax(-1).tolist() == self.right,
            prefers_right=_log_probability(right, self.right) > _log_probability(wrong, self.wrong),
        )


class Verdict(NamedTuple):
    """`is_exact`: decoded greedily, the answer is the right one. `prefers_right`: the right one is
    more probable than the wrong one, which happens half of the time by chance."""

    is_exact: bool
    prefers_right: bool


def _log_probability(logits: Tensor, token_ids: list[int]) -> float:
    scores = logits.double().log_softmax(-1)
    return float(sum(row[token_id] for row, token_id in zip(scores, token_ids, strict=True)))


class Reader:
    """The lines of a record in tokens, one after the other; it keeps the last ones."""

    def __init__(self, record: Record, tokenizer: Tokenizer, num_kept: int) -> None:
        self._record, self._encode = record, tokenizer.encode
        bos = tokenizer.hf.bos_token_id
        self.beginning = [*([] if bos is None else [bos]), *self._encode(PREAMBLE)]
        self.num_lines = 0
        self._last: deque[list[int]] = deque(maxlen=num_kept)

    def next_line(self) -> list[int]:
        line = self._encode(self._record.line(self.num_lines))
        self._last.append(line)
        self.num_lines += 1
        return line

    def last_lines(self, max_tokens: int) -> list[list[int]]:
        """As many of the last lines, of those kept, as have no more tokens than that together."""
        lines: list[list[int]] = []
        for line in reversed(self._last):
            max_tokens -= len(line)
            if max_tokens < 0:
                break
            lines.insert(0, line)
        return lines

    def question(self, distance: int) -> Question:
        """About the line that is `distance` lines before the last one."""
        number = self.num_lines - 1 - distance
        beside = number + 1 if distance else number - 1
        asked = self._encode(self._record.question(number))
        right = self._encode(self._record.answer(number))
        wrong = self._encode(self._record.answer(beside))
        line, *after = islice(self._last, len(self._last) - 1 - distance, None)
        since = sum(map(len, after)) + len(asked)
        return Question(asked, right, wrong, len(line) + since + len(right) - 1, since + 1)


class AskedStream(LoneStream):
    """A stream with rows for copies of it, on which it is asked."""

    def __init__(self, model: StreamingModel, window: Window, num_copies: int) -> None:
        super().__init__(model, window)
        self.store = model.new_store(1 + num_copies, window.size)

    def look_ahead(self, texts: Sequence[Sequence[int]]) -> list[Tensor]:
        """(C, vocab) float32 for each text, were it next; the stream stays as it is."""
        segments = []
        for row, text in enumerate(texts, start=1):
            self.store.copy_row(0, row)
            copy = self.session.copy_to(row)
            segments.append(Segment(copy, copy.length, tuple(text), wants_logits=False))
        logits = self.model.compute(segments, self.store, all_logits=True).float()
        ends = list(accumulate(map(len, texts)))
        return [logits[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
