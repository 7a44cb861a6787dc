"""The most telling sentences of what was said: the face of this room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.sentences.choice import best_first
from engine.sentences.stored import BUNDLED, Stored, load


class Highlighter:
    """Keeps nothing in between: what it says of a sentence depends on that sentence alone."""

    def __init__(self, stored: Stored):
        self._worth, self._tokenizer = stored.worth, stored.tokenizer

    @classmethod
    def load(cls, folder: Path | None = None) -> Highlighter:
        """folder: None for what comes with Weir. Raises ConfigError."""
        return cls(load(folder or BUNDLED))

    def salience(self, sentences: Sequence[str]) -> list[float]:
        """How telling each is, about 0 to 1."""
        return self._worth.salience(self._tokenizer, sentences)

    def best_first(self, sentences: Sequence[str]) -> Iterator[int]:
        """Their indices, the most telling one first, each new against those before it."""
        return best_first(sentences, self.salience(sentences))
