"""Folders of text -> (to train on, held out), each kind of text for itself.

What is held out is whole documents, chosen by their names, the same on every machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from ops.pretrain.corpus import Document, read_corpus
from ops.restore.labels import Word, words_of
from ops.restore.windows import Texts, texts_of

MAX_HELD_OUT_WORDS = 60_000
MAX_USUAL_WORDS = 300_000


class Source(NamedTuple):
    """A folder, and how many of its words are learnt in a pass (None: all)."""

    folder: Path
    num_words: int | None

    @classmethod
    def parse(cls, text: str) -> Source:
        folder, _, num_words = text.partition("@")
        return cls(Path(folder), int(num_words) if num_words else None)


class Sample(NamedTuple):
    """Of one kind of text: whole documents that nothing is learnt from, half of them to calibrate
    and half to measure; and some that are learnt from, for what is usual."""

    calibrating: list[list[Word]]
    measuring: list[list[Word]]
    learnt: list[list[Word]]


def prepared(
    folder: Path, sources: list[Source], tokenizer: Tokenizer, seed: int
) -> tuple[Texts, dict[str, Sample]]:
    """What is learnt from, and samples by kind; made once, and kept in `folder`."""
    training, kept = folder / "training.npz", folder / "samples.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(training, **vars(texts_of(_training_words(sources, seed), tokenizer)))
        kept.write_text(json.dumps(samples(sources, seed)), encoding="utf-8")
    found = {
        kind: Sample(*([[Word(*word) for word in words] for words in part] for part in parts))
        for kind, parts in json.loads(kept.read_text(encoding="utf-8")).items()
    }
    return Texts(**np.load(training)), found


def _training_words(sources: list[Source], seed: int) -> list[list[Word]]:
    documents: list[list[Word]] = []
    for source in sources:
        rng = np.random.default_rng(seed)
        trained_on, _ = read_corpus(source.folder).split()
        documents += words_of(_some(trained_on.documents, source.num_words, rng), rng)
    return documents


def samples(sources: list[Source], seed: int) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    for source in sources:
        rng = np.random.default_rng(seed)
        trained_on, held_out = read_corpus(source.folder).split()
        kept = list(words_of(_some(held_out.documents, MAX_HELD_OUT_WORDS, rng), rng))
        learnt = list(words_of(_some(trained_on.documents, MAX_USUAL_WORDS, rng), rng))
        found[source.folder.name] = Sample(kept[::2], kept[1::2], learnt)
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
