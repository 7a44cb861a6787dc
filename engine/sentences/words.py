"""How telling a sentence is, by its word pieces and its form: the mean of what each piece is worth.

A piece is worth what talk with people's summaries has taught: how likely what it says is to be
said in a summary too. Nothing but the sentence itself decides, so it has one salience whatever the
entries are that it came in, whoever asks, and whenever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

MAX_PIECES = 128
FORMS = ("under 10 words", "20 words or more", "30 words or more", "a question", "begins small")


def form(sentence: str) -> list[float]:
    """1 or 0 for each of FORMS."""
    num_words = len(sentence.split())
    facts = (
        *(num_words < 10, num_words >= 20, num_words >= 30),
        *(sentence.endswith("?"), sentence[:1].islower()),
    )
    return [float(fact) for fact in facts]


def pieces(tokenizer: Tokenizer, sentences: Sequence[str]) -> list[list[int]]:
    encoded = tokenizer.encode_batch_fast(list(sentences), add_special_tokens=False)
    return [one.ids[:MAX_PIECES] for one in encoded]


@dataclass(frozen=True)
class WordWorth:
    """of_pieces [vocabulary], of_forms [FORMS], base: of a sentence without either. float32."""

    of_pieces: NDArray[Any]
    of_forms: NDArray[Any]
    base: float

    def salience(self, tokenizer: Tokenizer, sentences: Sequence[str]) -> list[float]:
        """Of each; about 0 to 1, more is more telling."""
        found = zip(pieces(tokenizer, sentences), map(form, sentences), strict=True)
        return [self._worth(ids, facts) for ids, facts in found]

    def _worth(self, ids: list[int], facts: list[float]) -> float:
        mean = float(self.of_pieces[ids].mean()) if ids else 0.0
        return self.base + mean + float(np.dot(self.of_forms, facts))
