"""A Llama model in llama.cpp's file format. To a peer ids go in and out: no vocabulary is needed.

Letters: H heads, D numbers of a head, I inputs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Array = NDArray[np.float32]

TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}
WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
OF_A_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def without_vocabulary(writer: Any) -> None:
    writer.add_tokenizer_model("no_vocab")


def convert(
    folder: Path,
    file: Path,
    type_name: str,
    vocabulary: Callable[[Any], None] = without_vocabulary,
) -> None:
    """Write the exported model in `folder` to `file`, its matrices as `type_name` of TYPES.
    `vocabulary` adds its tokenizer to the writer."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(file, "llama")
    _describe(writer, config)
    vocabulary(writer)
    for name, weight in load_file(folder / "model.safetensors").items():
        # llama.cpp keeps vectors, which are the norms, in float32 whatever the matrices are.
        type_ = TYPES[type_name] if weight.ndim == 2 else TYPES["f32"]
        placed = _placed(name, weight, config)
        writer.add_tensor(_name_of(name), gguf.quantize(placed, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any, config: dict[str, Any]) -> None:
    num_heads = config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(num_heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // num_heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _name_of(name: str) -> str:
    if name in WHOLE:
        return WHOLE[name]
    layer = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", name)
    if layer is None:
        raise ValueError(f"{name} has no place in a Llama of llama.cpp")
    return f"blk.{layer[1]}.{OF_A_LAYER[layer[2]]}.weight"


def _placed(name: str, weight: Array, config: dict[str, Any]) -> Array:
    if name.endswith("q_proj.weight"):
        return interleaved(weight, config["num_attention_heads"])
    if name.endswith("k_proj.weight"):
        return interleaved(weight, config["num_key_value_heads"])
    return weight


def interleaved(weight: Array, num_heads: int) -> Array:
    """(H * D, I): what llama.cpp turns together is 2i and 2i + 1, here it is i and i + D/2."""
    halves: Array = weight.reshape(num_heads, 2, -1, weight.shape[1])
    return np.reshape(halves.swapaxes(1, 2), weight.shape)
