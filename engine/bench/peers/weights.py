"""A model on disk as every peer can read it: float32 tensors, and a plain configuration.

What a peer cannot load, it cannot be measured with: only Llama models without rope scaling go out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from engine.bench.peers.environment import PeerUnavailable

KEPT = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
)


def export(hf: PreTrainedModel, folder: Path) -> None:
    """Write `hf` to `folder`. PeerUnavailable if it is not what all peers know."""
    config = _plain_config(hf.config)
    # Tied weights are one tensor under two names: readers know the first.
    tensors = {
        name: weight.detach().to("cpu", torch.float32).contiguous()
        for name, weight in hf.named_parameters()
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _plain_config(config: Any) -> dict[str, Any]:
    """As old versions of transformers wrote it: rope_theta beside the other numbers."""
    rope = config.rope_parameters if config.model_type == "llama" else {}
    head_dim = config.hidden_size // config.num_attention_heads
    if rope.get("rope_type") != "default" or config.head_dim != head_dim:
        raise PeerUnavailable(
            f"only plain Llama models go out to peers, not {config.model_type} "
            f"with {rope.get('rope_type', 'another')} rope"
        )
    if config.attention_bias or config.mlp_bias:
        raise PeerUnavailable("only Llama models without biases go out to peers")
    kept = {name: getattr(config, name) for name in KEPT}
    rope_theta = float(rope["rope_theta"])
    return kept | {
        "architectures": ["LlamaForCausalLM"],
        "hidden_act": "silu",
        "model_type": "llama",
        "rope_theta": rope_theta,
        "torch_dtype": "float32",
    }
