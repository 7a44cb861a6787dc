"""What is added to the scores of the marks, so that as many are written as serves F1 best.

The loss gives questions more weight than they have, and F1 wants more marks than the likeliest
label gives. Both are put right on talk that is held out, in entries of a few words.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.restore.marks import MARKS
from engine.restore.passage import Passage
from engine.restore.punctuator import Punctuator
from ops.restore.evaluate import COUNTED, ENTRY_WORDS
from ops.restore.labels import UNKNOWN, Word

NUM_CONTEXT = 20
MAX_ENTRIES = 1500
NEVER = -1e4  # more than any score: with so little training, these marks cost more than they give
RARE = ("!", ":", ";")
CLASSES = ("", ".", ",", "?")
_OFFSETS = [step / 10 for step in range(-10, 16)]


def calibrated(
    punctuator: Punctuator, streams: Sequence[list[Word]], num_after: int
) -> list[float]:
    """The bias of each of MARKS."""
    scores, truth = _scored(punctuator, streams, num_after)
    bias = torch.zeros(len(MARKS))
    bias[[MARKS.index(mark) for mark in RARE]] = NEVER
    for _ in range(2):
        for mark in CLASSES[1:]:
            place = MARKS.index(mark)
            tries = []
            for offset in _OFFSETS:
                bias[place] = offset
                tries.append((_f1(scores + bias, truth), -abs(offset), offset))
            bias[place] = max(tries)[2]
    return [round(value, 2) for value in bias.tolist()]


def _scored(
    punctuator: Punctuator, streams: Sequence[list[Word]], num_after: int
) -> tuple[Tensor, Tensor]:
    """Scores [words, marks] and the true marks, as counted."""
    scores, truth = [], []
    for stream, start in _entries(streams):
        raw = tuple(word.raw for word in stream)
        stop = start + ENTRY_WORDS
        passage = Passage(
            raw[start:stop], raw[max(0, start - NUM_CONTEXT) : start], raw[stop : stop + num_after]
        )
        scores.append(punctuator.mark_scores(passage))
        truth += [_counted(word.mark) for word in stream[start:stop]]
    return torch.cat(scores), torch.tensor(truth)


def _entries(streams: Sequence[list[Word]]) -> list[tuple[list[Word], int]]:
    every = [(s, i) for s in streams for i in range(0, len(s) - ENTRY_WORDS, ENTRY_WORDS)]
    return every[:: max(1, len(every) // MAX_ENTRIES)]


def _counted(mark: int) -> int:
    return mark if mark == UNKNOWN else MARKS.index(COUNTED.get(MARKS[mark], ""))


def _f1(scores: Tensor, truth: Tensor) -> float:
    known = truth != UNKNOWN
    said, true = scores.argmax(-1)[known], truth[known]
    right = int(((said == true) & (true > 0)).sum())
    return 2 * right / max(1, int((said > 0).sum() + (true > 0).sum()))
