"""Tokenizers with chat templates as models have them, and tiny models that talk in whole words."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from engine.config import EngineConfig
from engine.engine import Engine
from engine.memory.kv_store import KVStore
from engine.model.model import StreamingModel
from engine.model.source import BUNDLED
from engine.schedule.scheduler import Segment
from engine.text.tokenizer import Tokenizer
from tests.engine.families import SIZES, tiny_of
from tests.engine.streams import IMPLEMENTATION

CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INST = (
    "{% if messages[0].role == 'system' %}{% set head = '<<SYS>>\n' + messages[0].content +"
    " '\n<</SYS>>\n\n' %}{% set messages = messages[1:] %}{% else %}{% set head = '' %}{% endif %}"
    "{% for message in messages %}{% if message.role == 'user' %}{{ bos_token + '[INST] ' +"
    " (head if loop.first else '') + message.content.strip() + ' [/INST]' }}{% else %}"
    "{{ ' ' + message.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
WORDS = (" the", " and", " of", " to", " in", " that")


def bundled_tokenizer(chat_template: str | None = None) -> Tokenizer:
    """With its own template, or another; ChatML's tokens are added if that is it."""
    hf = AutoTokenizer.from_pretrained(BUNDLED)
    hf.chat_template = chat_template or hf.chat_template
    if chat_template == CHATML:
        start, end = "<|im_start|>", "<|im_end|>"
        hf.add_special_tokens({"eos_token": end, "additional_special_tokens": [start]})
    return Tokenizer(hf)


def sentencepiece_tokenizer() -> Tokenizer:
    """As Llama 2 has it: spaces are letters, the first is added, unknown letters become bytes."""
    trained = Backend(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=120, show_progress=False)
    trained.train_from_iterator(["".join(WORDS) * 9 + " [INST] hello [/INST]"] * 9, trainer)
    model = json.loads(trained.to_str())["model"]
    first = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab = {token: id for id, token in enumerate([*first, *model["vocab"]])}
    merges = [tuple(pair) for pair in model["merges"]]
    backend = Backend(models.BPE(vocab=vocab, merges=merges, byte_fallback=True))
    backend.pre_tokenizer = trained.pre_tokenizer
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    hf = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **dict(zip(("unk_token", "bos_token", "eos_token"), first, strict=False)),
        chat_template=INST,
    )
    return Tokenizer(hf)


class Talker(StreamingModel):
    """A random model that says whole words and now and then ends, never before the first word.

    `heard` is every token that it has computed, in order.
    """

    def __init__(self, hf: PreTrainedModel, words: Sequence[int], ends: Sequence[int]) -> None:
        self.heard: list[int] = []
        self._words = list(words)
        self._ends = list(ends)
        super().__init__(hf)
        self.heard.clear()  # of the self-check

    def compute(
        self, segments: Sequence[Segment], store: KVStore, *, all_logits: bool = False
    ) -> Tensor:
        self.heard += [id for segment in segments for id in segment.token_ids]
        logits = super().compute(segments, store, all_logits=all_logits)
        if all_logits:
            return logits
        may_end = self.heard[-1] in self._words
        sayable = torch.zeros(self.vocab_size, dtype=torch.bool)
        sayable[[*self._words, *(self._ends if may_end else [])]] = True
        return logits.masked_fill(~sayable, -torch.inf)


def talking_engine(tokenizer: Tokenizer, *, num_recent: int = 1000) -> tuple[Engine, Talker]:
    config = LlamaConfig(**{**SIZES, "vocab_size": tokenizer.vocab_size})
    hf = tiny_of(config)
    hf.set_attn_implementation(IMPLEMENTATION)
    model = Talker(hf, words(tokenizer), sorted(tokenizer.eos_ids))
    settings = EngineConfig("tiny", num_recent=num_recent, num_rows=1, num_sessions=2, max_chunk=16)
    return Engine(settings, model, tokenizer), model


def words(tokenizer: Tokenizer) -> list[int]:
    """Tokens that are a whole word each, with its space."""
    num = len(tokenizer.encode("x"))
    ids = [tokenizer.encode("x" + word)[num:] for word in WORDS]
    assert all(len(word) == 1 for word in ids)
    return [id for [id] in ids]
