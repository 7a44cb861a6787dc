"""The model that goes out to the peers is the model: on disk for all, and as llama.cpp has it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig
from transformers import MistralForCausalLM as Mistral

from engine.bench.peers.environment import PeerUnavailable
from engine.bench.peers.gguf_file import TYPES, convert, interleaved
from engine.bench.peers.weights import export

NUM_LAYERS = 2


def llama(*, tied: bool = False, **options: object) -> LlamaForCausalLM:
    torch.manual_seed(7)
    rope = {"rope_type": "default", "rope_theta": 5000.0}
    config = LlamaConfig(
        hidden_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=96,
        num_hidden_layers=NUM_LAYERS,
        vocab_size=160,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        **{"rope_parameters": rope, **options},
    )
    model = LlamaForCausalLM(config)
    for norm in (parameter for parameter in model.parameters() if parameter.dim() == 1):
        torch.nn.init.normal_(norm)
    return model


def converted(model: LlamaForCausalLM, folder: Path, type_name: str) -> gguf.GGUFReader:
    export(model, folder)
    convert(folder, folder / "model.gguf", type_name)
    return gguf.GGUFReader(folder / "model.gguf")


def tensors_of(reader: gguf.GGUFReader) -> dict[str, np.ndarray]:
    return {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors
    }


def untangled(weight: np.ndarray, num_heads: int) -> np.ndarray:
    """The rows of each head as the model has them: first those at even places, then the others."""
    heads = weight.reshape(num_heads, -1, weight.shape[1])
    return np.concatenate([heads[:, 0::2], heads[:, 1::2]], axis=1).reshape(weight.shape)


def expected_tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    inner = model.model
    tensors = {
        "token_embd.weight": inner.embed_tokens.weight,
        "output_norm.weight": inner.norm.weight,
    }
    if not model.config.tie_word_embeddings:
        tensors["output.weight"] = model.lm_head.weight
    for number, layer in enumerate(inner.layers):
        attention, mlp = layer.self_attn, layer.mlp
        parts = {
            "attn_norm": layer.input_layernorm,
            "attn_q": attention.q_proj,
            "attn_k": attention.k_proj,
            "attn_v": attention.v_proj,
            "attn_output": attention.o_proj,
            "ffn_norm": layer.post_attention_layernorm,
            "ffn_gate": mlp.gate_proj,
            "ffn_up": mlp.up_proj,
            "ffn_down": mlp.down_proj,
        }
        tensors |= {f"blk.{number}.{name}.weight": part.weight for name, part in parts.items()}
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


@pytest.mark.parametrize("tied", [False, True])
def test_a_file_holds_the_very_tensors_of_the_model(tmp_path: Path, tied: bool) -> None:
    model = llama(tied=tied)
    written = tensors_of(converted(model, tmp_path, "f32"))
    expected = expected_tensors(model)
    assert written.keys() == expected.keys()
    for name, tensor in expected.items():
        found = written[name]
        if "attn_q" in name or "attn_k" in name:
            found = untangled(found, 4 if "attn_q" in name else 2)
        assert np.array_equal(found, tensor), name


@pytest.mark.parametrize(
    ("type_name", "tolerance"), [("f16", 1e-3), ("bf16", 8e-3), ("q8_0", 1e-2)]
)
def test_smaller_types_are_those_of_the_file_and_near(
    tmp_path: Path, type_name: str, tolerance: float
) -> None:
    model = llama()
    reader = converted(model, tmp_path, type_name)
    for tensor in reader.tensors:
        is_vector = tensor.name.endswith("norm.weight")
        assert tensor.tensor_type == TYPES["f32" if is_vector else type_name], tensor.name
    written = tensors_of(reader)
    for name, tensor in expected_tensors(model).items():
        if "attn_q" not in name and "attn_k" not in name:
            largest = float(np.abs(tensor).max())
            assert float(np.abs(written[name] - tensor).max()) <= tolerance * largest, name


def test_a_file_describes_the_model(tmp_path: Path) -> None:
    fields = converted(llama(), tmp_path, "f32").fields
    said = {name: fields[f"llama.{name}"].contents() for name in (
        "embedding_length", "block_count", "feed_forward_length", "attention.head_count",
        "attention.head_count_kv", "rope.dimension_count", "rope.freq_base", "vocab_size",
    )}  # fmt: skip
    assert list(said.values()) == [64, NUM_LAYERS, 96, 4, 2, 16, 5000.0, 160]
    epsilon = fields["llama.attention.layer_norm_rms_epsilon"].contents()
    assert epsilon == pytest.approx(1e-5)
    assert fields["tokenizer.ggml.model"].contents() == "no_vocab"


@given(
    num_heads=st.integers(1, 4),
    half=st.integers(1, 4),
    angle=st.floats(-3, 3),
    seed=st.integers(0, 2**16),
)
def test_neighbours_turn_as_the_halves_do(
    num_heads: int, half: int, angle: float, seed: int
) -> None:
    """What llama.cpp's rotation makes of the converted projection is what the model's makes of its
    own, in another order: so scores, which are sums over a head, are the same."""
    numbers = np.random.default_rng(seed)
    weight = numbers.standard_normal((num_heads * 2 * half, 5)).astype(np.float32)
    inputs = numbers.standard_normal(5)
    turns = np.exp(1j * angle * np.arange(1, half + 1))
    halves = (weight @ inputs).reshape(num_heads, 2, half)
    theirs = (interleaved(weight, num_heads) @ inputs).reshape(num_heads, half, 2)
    turned = (halves[:, 0] + 1j * halves[:, 1]) * turns
    neighbours = (theirs[..., 0] + 1j * theirs[..., 1]) * turns
    assert np.allclose(turned, neighbours)


@pytest.mark.parametrize("tied", [False, True])
def test_what_goes_out_is_the_model_in_float32(tmp_path: Path, tied: bool) -> None:
    model = llama(tied=tied)
    half = {name: weight.to(torch.bfloat16) for name, weight in model.state_dict().items()}
    model.load_state_dict(half)
    export(model, tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.dtype == torch.float32
    ids = torch.arange(40).unsqueeze(0)
    with torch.inference_mode():
        assert torch.equal(again(ids).logits, model(ids).logits)


def test_what_peers_do_not_know_does_not_go_out(tmp_path: Path) -> None:
    scaled = llama(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0})
    with pytest.raises(PeerUnavailable, match="linear rope"):
        export(scaled, tmp_path)
    with pytest.raises(PeerUnavailable, match="biases"):
        export(llama(attention_bias=True), tmp_path)
    mistral = MistralConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=32, vocab_size=64,
    )  # fmt: skip
    with pytest.raises(PeerUnavailable, match="not mistral"):
        export(Mistral(mistral), tmp_path)
    assert not list(tmp_path.iterdir())
