"""The shipped weights: small, bf16, loaded the ordinary way, and they have learnt something."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

BUNDLED = Path(__file__).parents[2] / "engine" / "bundled"
PARAGRAPH = (
    "Good morning, everyone. I think we should start with the weather, because the river rose "
    "again last night. When I came over the bridge it was already dark, and the old man at the "
    "gate told me that he had never seen so much water in all his life."
)


def test_the_weights_are_bf16_and_small() -> None:
    model = AutoModelForCausalLM.from_pretrained(BUNDLED)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert {weights.dtype for weights in model.parameters()} == {torch.bfloat16}
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) < 30_000_000


def test_the_vocabulary_and_the_special_tokens_are_the_tokenizers() -> None:
    config = AutoModelForCausalLM.from_pretrained(BUNDLED).config
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    assert config.vocab_size == len(tokenizer)
    assert config.bos_token_id == tokenizer.bos_token_id == 0
    assert config.eos_token_id == tokenizer.eos_token_id
    assert config.pad_token_id == tokenizer.pad_token_id


@torch.inference_mode()
def test_plain_english_surprises_it_far_less_than_chance() -> None:
    model = AutoModelForCausalLM.from_pretrained(BUNDLED, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    tokens = tokenizer(PARAGRAPH, return_tensors="pt")["input_ids"]
    loss = model(tokens, labels=tokens).loss.item()
    assert loss < 0.5 * math.log(len(tokenizer))
