"""A corpus and a tokenizer -> token arrays on disk, so that a training step only copies memory.

Two forms. **Text** is one flat array a kind; a step cuts slices out of it anywhere. **Rows** are
whole samples packed end to end into rows of fixed length. Every sample begins with the sink, so a
row needs no other mark of where one sample ends: see `batches.py`.

Files of the folder: `prose.npy`, `talk.npy`, `talk_unnamed.npy` (uint16, flat) and, for each pool
of rows, `<pool>.tokens.npy` (uint16) and `<pool>.learnt.npy` (bool: is this token to be predicted),
both [rows, length].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from ops.pretrain.corpus import Corpus, Document
from ops.pretrain.recipe import Recipe
from ops.pretrain.restore import RestoreSample, restore_samples, runs_of_words
from ops.pretrain.summaries import SummarySample, summary_samples
from ops.pretrain.tokenizer import ASSISTANT_ID, END_ID, PAD_ID, SINK_ID, USER_ID

Tokens = NDArray[np.uint16]
TALK_SHARE_OF_RESTORING = 0.6


class Sample(NamedTuple):
    tokens: list[int]
    learnt: list[bool]


def prepare(corpus: Corpus, tokenizer: PreTrainedTokenizerFast, recipe: Recipe, out: Path) -> None:
    """Write the arrays of everything in the corpus."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(recipe.seed)
    prose = [d for d in corpus.documents if d.kind == "prose"]
    talk = [d for d in corpus.documents if d.kind == "talk"]
    np.save(out / "prose.npy", flat_tokens(prose or talk, tokenizer))
    np.save(out / "talk.npy", flat_tokens(talk or prose, tokenizer))
    np.save(out / "talk_unnamed.npy", flat_tokens(talk or prose, tokenizer, with_speakers=False))

    restoring = (
        restore_sample(sample, tokenizer)
        for sample in _mixed_restore_samples(talk or prose, prose or talk, recipe, rng)
    )
    _save_rows(out, "restore_short", restoring, recipe.short_length)
    summaries = [
        summary_sample(sample, tokenizer, recipe.long_length, rng.random() < 0.7)
        for sample in summary_samples(corpus.pairs, rng)
    ]
    short = [s for s in summaries if len(s.tokens) <= recipe.short_length]
    _save_rows(out, "summary_short", short, recipe.short_length)
    _save_rows(out, "summary_long", _shuffled(summaries, rng), recipe.long_length)


def flat_tokens(
    documents: Iterable[Document], tokenizer: PreTrainedTokenizerFast, with_speakers: bool = True
) -> Tokens:
    """All lines of all documents, one after the other, without any special token."""
    pieces = [
        np.asarray(ids, dtype=np.uint16)
        for document in documents
        for ids in encode_all([line.render(with_speakers) for line in document.lines], tokenizer)
    ]
    return np.concatenate(pieces)


def restore_sample(sample: RestoreSample, tokenizer: PreTrainedTokenizerFast) -> Sample:
    """One chat turn; only the answer is learnt."""
    question, answer = encode_all([sample.question, sample.answer], tokenizer)
    head = [SINK_ID, USER_ID, *question, END_ID, ASSISTANT_ID]
    tail = [*answer, END_ID]
    return Sample(head + tail, [False] * len(head) + [True] * len(tail))


def summary_sample(
    sample: SummarySample,
    tokenizer: PreTrainedTokenizerFast,
    max_length: int,
    with_speakers: bool = True,
) -> Sample:
    """The passage as a stream's memory holds it, asked for a summary; the oldest tokens go first.

    Passage and answer are learnt, the instruction is not. Each line is tokenised by itself, as
    entries are when they arrive.
    """
    lines = [line.render(with_speakers) for line in sample.passage]
    *passage, asked, answer = encode_all(
        [*lines, f"\n\n{sample.instruction}", sample.answer], tokenizer
    )
    middle, tail = [*asked, END_ID, ASSISTANT_ID], [*answer, END_ID]
    room = max_length - 2 - len(middle) - len(tail)
    text = [token for line in passage for token in line][-max(room, 1) :]
    return Sample(
        [SINK_ID, USER_ID, *text, *middle, *tail],
        [False] * 2 + [True] * len(text) + [False] * len(middle) + [True] * len(tail),
    )


def _mixed_restore_samples(
    talk: list[Document], prose: list[Document], recipe: Recipe, rng: np.random.Generator
) -> Iterator[RestoreSample]:
    num_talk = int(recipe.num_restore_samples * TALK_SHARE_OF_RESTORING)
    samples = [
        *restore_samples(runs_of_words(talk), num_talk, rng),
        *restore_samples(runs_of_words(prose), recipe.num_restore_samples - num_talk, rng),
    ]
    for index in rng.permutation(len(samples)):
        yield samples[index]


def _shuffled(samples: list[Sample], rng: np.random.Generator) -> Iterator[Sample]:
    return (samples[index] for index in rng.permutation(len(samples)))


def _save_rows(out: Path, pool: str, samples: Iterable[Sample], length: int) -> None:
    rows = list(pack(samples, length))
    if not rows:
        raise ValueError(f"the data gives no sample for {pool}: more text or pairs are needed")
    np.save(out / f"{pool}.tokens.npy", np.asarray([r.tokens for r in rows], dtype=np.uint16))
    np.save(out / f"{pool}.learnt.npy", np.asarray([r.learnt for r in rows], dtype=np.bool_))


def pack(samples: Iterable[Sample], length: int) -> Iterator[Sample]:
    """Rows of exactly `length` tokens: whole samples, first fit among a few open rows, padding."""
    open_rows: list[Sample] = []
    for sample in samples:
        if len(sample.tokens) > length:
            continue
        row = next((r for r in open_rows if len(r.tokens) + len(sample.tokens) <= length), None)
        if row is None:
            row = Sample([], [])
            open_rows.append(row)
        row.tokens.extend(sample.tokens)
        row.learnt.extend(sample.learnt)
        if len(open_rows) > 16:
            yield _padded(open_rows.pop(0), length)
    yield from (_padded(row, length) for row in open_rows)


def _padded(row: Sample, length: int) -> Sample:
    missing = length - len(row.tokens)
    return Sample(row.tokens + [PAD_ID] * missing, row.learnt + [False] * missing)


def encode_all(texts: list[str], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Each text by itself; what looks like a special token in it is spelt out."""
    ids: list[list[int]] = tokenizer(
        texts, add_special_tokens=False, return_attention_mask=False, split_special_tokens=True
    )["input_ids"]
    return ids
