"""The restorer that the encoder took the place of: the small bundled language model, which wrote
each entry under a grammar that allows nothing but its words, letter by letter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from engine.restore.passage import Passage
from ops.pretrain.constrained import Restorer
from ops.pretrain.restore import RestoreSample
from ops.pretrain.tokenizer import load_tokenizer
from ops.restore.evaluate import Restore

NUM_CONTEXT_WORDS = 20


def by_language_model(folder: Path) -> Restore:
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    restorer = Restorer(model, load_tokenizer(folder))

    def restore(passages: Sequence[Passage]) -> list[tuple[str, ...]]:
        return [_words(restorer, passage) for passage in passages]

    return restore


def _words(restorer: Restorer, passage: Passage) -> tuple[str, ...]:
    context = " ".join(passage.before[-NUM_CONTEXT_WORDS:])
    sample = RestoreSample(context=context, raw=" ".join(passage.words), answer="")
    written = tuple(restorer.restore(sample).split())
    return written if len(written) == len(passage.words) else passage.words
