"""What is restored at a time, and how the encoder reads it.

    [CLS] before ... | words ... | after ... [SEP]

`before` and `after` are read only. [SEP] says that the speaker has ended; without it the text goes
on in some way. A passage's length in tokens, rounded up, decides the shape that it is computed in,
and nothing else does: see punctuator.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tokenizers import Tokenizer

from engine.restore.spelling import plain

MAX_WORD_TOKENS = 8  # the beginning of a longer one says enough
MAX_WORD_TOKENS_IN_A_CROWD = 3
MAX_TOKENS = 256
TOKENS_STEP = 16


@dataclass(frozen=True)
class Passage:
    """At most MAX_WORDS words, and those before and after as they are published or came. `ends`:
    nothing follows, the speaker has ended."""

    MAX_WORDS: ClassVar = 64
    MAX_BEFORE_WORDS: ClassVar = 20  # 40 cost half as much again and say no more
    MAX_AFTER_WORDS: ClassVar = 16

    words: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    ends: bool = False


@dataclass(frozen=True)
class Reading:
    """`places[i]` is the first token of word i."""

    tokens: list[int]
    places: list[int]

    @property
    def length(self) -> int:
        """Rounded up: passages of one length share a step."""
        return -(-len(self.tokens) // TOKENS_STEP) * TOKENS_STEP


class Reader:
    """Words -> tokens, the same for training and streams."""

    def __init__(self, tokenizer: Tokenizer):
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        ids = tokenizer.get_vocab()
        self.begin, self.end, self._unknown = ids["[CLS]"], ids["[SEP]"], ids["[UNK]"]

    def read(self, passage: Passage) -> Reading:
        """As much of what stands before and after as there is room for."""
        words = self._tokens(passage.words)
        if sum(map(len, words)) > Passage.MAX_WORDS * MAX_WORD_TOKENS_IN_A_CROWD:
            words = [pieces[:MAX_WORD_TOKENS_IN_A_CROWD] for pieces in words]
        room = MAX_TOKENS - 2 - sum(map(len, words))
        after = _fitting(self._tokens(passage.after[: Passage.MAX_AFTER_WORDS]), room // 3)
        room -= sum(map(len, after))
        before = self._tokens(passage.before[-Passage.MAX_BEFORE_WORDS :])
        before = _fitting(before[::-1], room)[::-1]
        tokens, places = [self.begin], []
        for pieces in (*before, *words, *after):
            places.append(len(tokens))
            tokens += pieces
        if passage.ends and not passage.after:
            tokens.append(self.end)
        return Reading(tokens, places[len(before) : len(before) + len(words)])

    def knows(self, word: str) -> bool:
        """Whether the word is a token of its own, as common words are."""
        return self._tokenizer.token_to_id(plain(word)) is not None

    def _tokens(self, words: tuple[str, ...]) -> list[list[int]]:
        plain_words = [plain(word) for word in words]
        encoded = self._tokenizer.encode_batch_fast(plain_words, add_special_tokens=False)
        return [one.ids[:MAX_WORD_TOKENS] or [self._unknown] for one in encoded]


def _fitting(words: list[list[int]], room: int) -> list[list[int]]:
    """As many of the first words as have room."""
    for i, pieces in enumerate(words):
        room -= len(pieces)
        if room < 0:
            return words[:i]
    return words
