"""Folders of text -> (to train on, held out), each kind of text for itself.

What is held out is whole documents, chosen by their names, the same on every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from ops.pretrain.corpus import Document, read_corpus
from ops.restore.labels import Word, words_of
from ops.restore.windows import Texts, texts_of

MAX_HELD_OUT_WORDS = 60_000


class Source(NamedTuple):
    """A folder, and how many of its words are learnt in a pass (None: all)."""

    folder: Path
    num_words: int | None

    @classmethod
    def parse(cls, text: str) -> Source:
        folder, _, num_words = text.partition("@")
        return cls(Path(folder), int(num_words) if num_words else None)


def training_texts(sources: list[Source], tokenizer: Tokenizer, seed: int) -> Texts:
    documents: list[list[Word]] = []
    for source in sources:
        rng = np.random.default_rng(seed)
        trained_on, _ = read_corpus(source.folder).split()
        chosen = _some(trained_on.documents, source.num_words, rng)
        documents += words_of(chosen, rng)
    return texts_of(documents, tokenizer)


def held_out_texts(sources: list[Source], seed: int) -> dict[str, list[list[Word]]]:
    found: dict[str, list[list[Word]]] = {}
    for source in sources:
        rng = np.random.default_rng(seed)
        _, held_out = read_corpus(source.folder).split()
        chosen = _some(held_out.documents, MAX_HELD_OUT_WORDS, rng)
        found[source.folder.name] = list(words_of(chosen, rng))
    return found


def _some(
    documents: list[Document], num_words: int | None, rng: np.random.Generator
) -> list[Document]:
    """Runs of lines from all of them, `num_words` together."""
    total = sum(len(line.text.split()) for document in documents for line in document.lines)
    if num_words is None or total <= num_words:
        return documents
    share = num_words / total
    chosen = []
    for document in documents:
        size = max(1, round(share * len(document.lines)))
        begin = int(rng.integers(0, len(document.lines) - size + 1))
        chosen.append(document._replace(lines=document.lines[begin : begin + size]))
    return chosen
