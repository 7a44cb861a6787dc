"""The model: an ordinary small Llama, its input and output embeddings tied."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ops.pretrain.recipe import Recipe
from ops.pretrain.tokenizer import END_ID, PAD_ID, SINK_ID


def llama_config(recipe: Recipe) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=recipe.vocab_size,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.num_layers,
        num_attention_heads=recipe.num_heads,
        num_key_value_heads=recipe.num_kv_heads,
        head_dim=recipe.head_dim,
        max_position_embeddings=recipe.long_length,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=SINK_ID,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )


def new_model(recipe: Recipe) -> LlamaForCausalLM:
    """Seeded fp32 weights."""
    torch.manual_seed(recipe.seed)
    config = llama_config(recipe)
    config._attn_implementation = "sdpa"
    return LlamaForCausalLM(config)
