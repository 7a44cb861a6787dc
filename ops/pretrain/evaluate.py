"""The figures of the model card, on what was held out.

Perplexities are per token of this tokenizer: they compare with each other, not with those of
models that cut text differently; bits per byte do.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.evaluate import stream_logits
from ops.pretrain.accuracy import restore_accuracy
from ops.pretrain.constrained import Restorer
from ops.pretrain.corpus import Corpus, Document
from ops.pretrain.prepare import flat_tokens, summary_sample
from ops.pretrain.restore import restore_samples, runs_of_words
from ops.pretrain.summaries import SummarySample, summary_samples
from ops.pretrain.tokenizer import ASSISTANT_ID, END_ID, SINK_ID, USER_ID, load_tokenizer

Kind = Literal["prose", "talk"]
TRAINED_LENGTH = 1024
NUM_SLICES = 64
SINKS, WINDOWS = (0, 1, 4), (256, 1024)


def evaluate(
    model_folder: Path,
    held_out: Corpus,
    num_samples: int = 200,
    stream_tokens: int = 20_000,
) -> dict[str, Any]:
    """Everything, as one JSON object. Kinds of text that were not held out are left out."""
    model = LlamaForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    tokenizer = load_tokenizer(model_folder)
    figures: dict[str, Any] = {"parameters": model.num_parameters()}
    for kind in ("prose", "talk"):
        documents = [d for d in held_out.documents if d.kind == kind]
        if documents:
            figures[kind] = {
                "held_out": [d.name for d in documents],
                **perplexity(model, tokenizer, documents),
                "restored": restored(model, tokenizer, documents, num_samples),
            }
            figures[kind]["sinks"] = sink_table(model, tokenizer, documents, stream_tokens)
    if held_out.pairs:
        figures["summary_answer_perplexity"] = summary_perplexity(
            model, tokenizer, held_out, num_samples
        )
    return figures


@torch.inference_mode()
def perplexity(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, documents: list[Document]
) -> dict[str, float]:
    """Over evenly spread slices of the trained length, each behind sink and user token."""
    flat = flat_tokens(documents, tokenizer)
    room = TRAINED_LENGTH - 2
    starts = np.linspace(0, max(0, len(flat) - room), NUM_SLICES).astype(int)
    nats, num_tokens, num_bytes = 0.0, 0, 0
    for start in starts:
        body = flat[start : start + room].astype(np.int64)
        tokens = torch.tensor([[SINK_ID, USER_ID, *body]])
        logits = model(tokens).logits[0, 1:-1]
        nats += cross_entropy(logits, tokens[0, 2:], reduction="sum").item()
        num_tokens += len(body)
        num_bytes += len(str(tokenizer.decode(body)).encode())
    return {
        "loss": round(nats / num_tokens, 3),
        "perplexity": round(math.exp(nats / num_tokens), 2),
        "bits_per_byte": round(nats / num_bytes / math.log(2), 3),
    }


def restored(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[Document],
    num_samples: int,
) -> dict[str, float]:
    """Accuracy of greedy restoring under the constraint; samples cut as in training."""
    rng = np.random.default_rng(0)
    restorer = Restorer(model, tokenizer)
    samples = list(restore_samples(runs_of_words(documents), num_samples, rng))
    return restore_accuracy((sample.answer, restorer.restore(sample)) for sample in samples)


def sink_table(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[Document],
    stream_tokens: int,
) -> dict[str, float]:
    """Perplexity after the trained length, by sinks and window (sinks + recent tokens)."""
    longest = max(documents, key=lambda d: sum(len(line.text) for line in d.lines))
    body = flat_tokens([longest], tokenizer)[:stream_tokens].tolist()
    table: dict[str, float] = {}
    for window in WINDOWS:
        for sinks in SINKS:
            tokens = [SINK_ID, USER_ID, *body]
            logits = stream_logits(
                model, tokens, num_sinks=sinks, num_recent=window - sinks, chunk=256
            )
            past = slice(TRAINED_LENGTH, len(tokens) - 1)
            truth = torch.tensor(tokens[1:])[past]
            table[f"{sinks} sinks, window {window}"] = round(
                math.exp(cross_entropy(logits[past], truth).item()), 2
            )
    return table


@torch.inference_mode()
def summary_perplexity(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    held_out: Corpus,
    num_samples: int,
) -> dict[str, float]:
    """Of people's summaries, given their passage, and given another passage instead.

    The distance between the two is what the model takes from the passage.
    """
    samples = list(summary_samples(held_out.pairs, np.random.default_rng(0)))[:num_samples]
    others = [*samples[1:], samples[0]]
    swapped = [s._replace(passage=o.passage) for s, o in zip(samples, others, strict=True)]
    return {
        "own_passage": _answer_perplexity(model, tokenizer, samples),
        "another_passage": _answer_perplexity(model, tokenizer, swapped),
    }


def _answer_perplexity(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, samples: list[SummarySample]
) -> float:
    nats, num_tokens = 0.0, 0
    for sample in samples:
        tokens = summary_sample(sample, tokenizer, TRAINED_LENGTH).tokens
        begin = tokens.index(ASSISTANT_ID) + 1
        logits = model(torch.tensor([tokens])).logits[0, begin - 1 : -1]
        nats += cross_entropy(logits, torch.tensor(tokens[begin:]), reduction="sum").item()
        num_tokens += len(tokens) - begin
    return round(math.exp(nats / num_tokens), 2)


def summarise(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sample: SummarySample
) -> str:
    """The model's own greedy summary of the sample's passage."""
    tokens = summary_sample(sample, tokenizer, TRAINED_LENGTH).tokens
    prompt = torch.tensor([tokens[: tokens.index(ASSISTANT_ID) + 1]])
    out = model.generate(  # type: ignore[misc]
        prompt, max_new_tokens=96, eos_token_id=END_ID
    )
    return str(tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True))
