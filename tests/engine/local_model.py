"""A model directory as a user has one: config, safetensors, tokenizer, chat template."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from tests.engine.families import SIZES, tiny_of

SPECIAL_TOKENS = ["<pad>", "<s>", "<|end|>", "<|user|>", "<|assistant|>"]
CHAT_TEMPLATE = (
    "<s>{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def build(directory: Path, *, chat_template: str | None = CHAT_TEMPLATE) -> Path:
    tokenizer = build_tokenizer(chat_template)
    config = LlamaConfig(**{**SIZES, "vocab_size": len(tokenizer) + 3})
    tiny_of(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def build_tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """One token a byte, and the special ones."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate([*SPECIAL_TOKENS, *letters])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        extra_special_tokens=SPECIAL_TOKENS[3:],
        **dict(zip(("pad_token", "bos_token", "eos_token"), SPECIAL_TOKENS, strict=False)),
        chat_template=chat_template,
    )
