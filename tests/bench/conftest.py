"""What the benchmark's tests measure: a model that is small enough to wait for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from engine.model.source import BUNDLED


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of a few thousand weights on disk, with the bundled tokenizer."""
    folder = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        vocab_size=4096,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for file in BUNDLED.glob("tokenizer*.json"):
        shutil.copy(file, folder)
    return folder
