"""Tiny random models of the families that stream, with weights large enough to matter."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

VOCAB_SIZE = 97
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}


def _config(model_type: str, **changes: Any) -> Callable[[], PretrainedConfig]:
    return lambda: AutoConfig.for_model(model_type, **{**SIZES, **changes})


MIXED_LAYERS = ["sliding_attention", "full_attention"]
# ALiBi has a rule of its own for a number of heads that is no power of two.
SIX_HEADS = {"hidden_size": 48, "num_attention_heads": 6}
MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}

FAMILIES: dict[str, Callable[[], PretrainedConfig]] = {
    "llama": _config("llama"),
    "llama-llama3-rope": _config("llama", rope_parameters=LLAMA3_ROPE),
    "llama-yarn-rope": _config("llama", rope_parameters=YARN_ROPE),
    "llama-one-kv-head": _config("llama", num_key_value_heads=1),
    "mistral": _config("mistral", sliding_window=None),
    # The tests stream 70 tokens through 20 slots.
    "mistral-own-window-wider": _config("mistral", sliding_window=30),
    "mistral-own-window-hides-a-sink": _config("mistral", sliding_window=19),
    "mistral-own-window-narrower": _config("mistral", sliding_window=7),
    "mixtral": _config("mixtral", **MOE),
    "qwen2": _config("qwen2"),
    "qwen3": _config("qwen3", head_dim=8),
    "phi": _config("phi", partial_rotary_factor=0.5),
    "phi3": _config("phi3"),
    "gemma": _config("gemma", head_dim=16),
    "gemma2": _config("gemma2", head_dim=16, sliding_window=9, layer_types=MIXED_LAYERS),
    "gemma3": _config("gemma3_text", head_dim=16, sliding_window=9, layer_types=MIXED_LAYERS),
    "gpt-neox": _config("gpt_neox", rotary_pct=0.25),
    "stablelm": _config("stablelm", partial_rotary_factor=0.25),
    "olmo": _config("olmo"),
    "olmo2": _config("olmo2"),
    "smollm3": _config("smollm3", no_rope_layers=[1, 0]),
    "granite": _config("granite", logits_scaling=2.0),
    "cohere": _config("cohere"),
    "cohere2": _config("cohere2", sliding_window=9, layer_types=MIXED_LAYERS),
    "gpt-oss": _config("gpt_oss", head_dim=16, sliding_window=9, layer_types=MIXED_LAYERS, **MOE),
    "starcoder2": _config("starcoder2", sliding_window=None),
    "nemotron": _config("nemotron"),
    "glm": _config("glm", head_dim=16),
    "exaone4": _config("exaone4", sliding_window=9, layer_types=MIXED_LAYERS),
    "ernie4_5": _config("ernie4_5"),
    "gptj": _config("gptj", rotary_dim=4),
    "falcon": _config("falcon"),
    "falcon-new-decoder": _config("falcon", new_decoder_architecture=True, num_kv_heads=2),
    "falcon-alibi": _config("falcon", alibi=True, multi_query=False, parallel_attn=False),
    "falcon-alibi-one-kv-head-of-six": _config("falcon", alibi=True, **SIX_HEADS),
    "mpt": _config("mpt"),
    "mpt-six-heads": _config("mpt", attn_config={"clip_qkv": 1.5}, **SIX_HEADS),
    "bloom": _config("bloom"),
    "bloom-six-heads": _config("bloom", **SIX_HEADS),
}

# Each `model_type` above, by the names under which its models are published.
KNOWN_AS = {
    "llama": "Llama 1 to 3, Yi, SmolLM2",
    "mistral": "Mistral",
    "mixtral": "Mixtral",
    "qwen2": "Qwen2, Qwen2.5",
    "qwen3": "Qwen3",
    "phi": "Phi-1, Phi-2",
    "phi3": "Phi-3 (4k), Phi-4 (14B)",
    "gemma": "Gemma",
    "gemma2": "Gemma 2",
    "gemma3_text": "Gemma 3 (text)",
    "gpt_neox": "GPT-NeoX, Pythia",
    "stablelm": "StableLM",
    "olmo": "OLMo",
    "olmo2": "OLMo 2",
    "smollm3": "SmolLM3",
    "granite": "Granite",
    "cohere": "Command R",
    "cohere2": "Command R7B",
    "gpt_oss": "gpt-oss",
    "starcoder2": "StarCoder2",
    "nemotron": "Nemotron-4, Minitron",
    "glm": "GLM-4 (9B)",
    "exaone4": "EXAONE 4",
    "ernie4_5": "ERNIE 4.5",
    "gptj": "GPT-J",
    "falcon": "Falcon",
    "mpt": "MPT",
    "bloom": "BLOOM",
}


def tiny(family: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> PreTrainedModel:
    """A random model whose attention is far from uniform: differences of place show in logits."""
    return tiny_of(FAMILIES[family](), dtype, seed)


@cache
def tiny_to_read(family: str) -> PreTrainedModel:
    """`tiny` for a reference, which leaves it as it was."""
    return tiny(family)


def tiny_of(
    config: PretrainedConfig, dtype: torch.dtype = torch.float32, seed: int = 0
) -> PreTrainedModel:
    transformers.set_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=2.0 * weight.shape[-1] ** -0.5)
    return model.to(dtype).eval()
