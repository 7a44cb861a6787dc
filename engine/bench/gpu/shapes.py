"""The shapes that are measured, with random weights that the device makes itself, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.bench.subject import SEED


@dataclass(frozen=True)
class Shape:
    """A model's family and sizes, as transformers calls them.

    `initializer_range` is such that a layer's answers are about as large as what comes in: larger
    weights would make noise grow from layer to layer as it does in no trained model.
    """

    name: str
    model_type: str
    sizes: Mapping[str, Any]

    @property
    def config(self) -> PretrainedConfig:
        return AutoConfig.for_model(self.model_type, **self.sizes)

    def with_sizes(self, name: str, **sizes: Any) -> Shape:
        return replace(self, name=name, sizes={**self.sizes, **sizes})

    @property
    def rehearsed(self) -> Shape:
        """The same family, so small that a processor runs it at once."""
        return self.with_sizes(f"tiny {self.name}", **REHEARSED)


LLAMA_3_8B = Shape(
    "llama-3.1-8b",
    "llama",
    {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "initializer_range": 0.01,
    },
)

QWEN_3_600M = Shape(
    "qwen3-0.6b",
    "qwen3",
    {
        "hidden_size": 1024,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 3072,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
    },
)

LLAMA_2_7B = Shape(
    "llama-2-7b",
    "llama",
    {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "intermediate_size": 11008,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "initializer_range": 0.01,
    },
)

# Small enough for float32 on both sides, with heads as wide as real ones. Its weights are as large
# as they may be: the larger, the more a wrong attention shows, and the rounding of angles too.
SMALL_LLAMA = Shape(
    "small llama",
    "llama",
    {
        "hidden_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 512,
        "vocab_size": 2048,
        "tie_word_embeddings": False,
        "initializer_range": 0.05,
    },
)
# The logits of a whole vocabulary would be most of the work and show nothing more.
FEW_LAYERS_OF_QWEN = QWEN_3_600M.with_sizes(
    "3 layers of qwen3-0.6b", num_hidden_layers=3, vocab_size=8192
)

REHEARSED = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 96,
    "vocab_size": 512,
    "initializer_range": 0.1,
}


def random_model(shape: Shape, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """Always the same weights on one device; they never exist anywhere else."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), device:
        torch.manual_seed(SEED)
        auto: Any = AutoModelForCausalLM
        hf: PreTrainedModel = auto.from_config(shape.config, dtype=dtype)
    hf.requires_grad_(False)
    hf.train(False)
    set_attention(hf, IMPLEMENTATION)
    return hf
