"""What cannot stream is refused at load, with the reason a user understands."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ConfigError, ModelRefused
from engine.model.load import load
from tests.engine.families import SIZES, tiny
from tests.engine.streams import streaming_of

SMALL = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2}
OPT = {**SMALL, "num_attention_heads": 4, "ffn_dim": 48, "word_embed_proj_dim": 32}
GPT = {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4,
    "v_head_dim": 8,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0] * 4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
HYBRID = {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gpt2", GPT, "learned or absolute positions"),
    ("opt", OPT, "learned or absolute positions"),
    ("gpt_neo", {**SMALL, "num_heads": 4, "attention_types": [[["global"], 2]]}, "interface"),
    ("falcon", {**SIZES, "rope_parameters": DYNAMIC}, "dynamic rope"),
    ("codegen", {**GPT, "rotary_dim": 4}, "0 of its 2 layers"),
    ("mamba", {**SMALL, "state_size": 4}, "linear attention"),
    ("rwkv", {**SMALL, "attention_hidden_size": 32}, "0 of its 2 layers"),
    ("jamba", {**SIZES, **HYBRID, "num_experts": 2}, "linear attention"),
    ("deepseek_v3", {**SIZES, **LATENT, "first_k_dense_replace": 2}, "latent attention"),
    ("t5", {"vocab_size": 97, "d_model": 32, "num_layers": 2, "d_ff": 32}, "encoder-decoder"),
    ("llama", {**SIZES, "rope_parameters": DYNAMIC}, "dynamic rope"),
    ("llama", {**SIZES, "layer_types": ["chunked_attention"] * 2}, "chunked attention"),
    ("phi3", {**SIZES, "rope_parameters": LONGROPE}, "longrope rope"),
]


@pytest.mark.parametrize(("model_type", "sizes", "reason"), REFUSED)
@pytest.mark.filterwarnings("ignore")  # of the models' own code
def test_what_cannot_stream_is_refused_with_the_reason_and_what_works(
    model_type: str, sizes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    config = AutoConfig.for_model(model_type, **sizes)
    family = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    family.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ModelRefused) as refusal:
        load(EngineConfig(str(tmp_path)))
    assert f"{tmp_path} cannot stream: " in str(refusal.value)
    assert reason in str(refusal.value)
    assert "Llama, Mistral" in str(refusal.value)


def test_missing_directory_is_one_clear_line() -> None:
    with pytest.raises(ModelRefused, match="no such directory"):
        Engine.load(EngineConfig("/no/such/model"))


@pytest.mark.parametrize("device", ["cuda:99", "cuda:100"])
def test_missing_device_is_one_clear_line(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device='{device}' is not there: PyTorch sees [0-9]+ "):
        load(EngineConfig("bundled", device=device))


def test_directory_without_a_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="could not be loaded"):
        load(EngineConfig(str(tmp_path)))


def rewrite_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_torn_weights_are_one_clear_line(tmp_path: Path) -> None:
    tiny("llama").save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelRefused, match=r"could not be loaded: .*header"):
        load(EngineConfig(str(tmp_path)))


def test_configuration_that_makes_no_sense_is_one_clear_line(tmp_path: Path) -> None:
    tiny("llama").save_pretrained(tmp_path)
    rewrite_config(tmp_path, hidden_size="wide")
    with pytest.raises(ModelRefused, match=r"could not be loaded: [^\n]*hidden_size[^\n]*$"):
        load(EngineConfig(str(tmp_path)))


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"num_hidden_layers": 3}, "model.layers.2.input_layernorm.weight"),
        ({"intermediate_size": 40}, "model.layers.0.mlp.down_proj.weight"),
    ],
)
def test_weights_that_do_not_fit_the_configuration_are_not_made_up(
    tmp_path: Path, changes: dict[str, object], first: str, caplog: pytest.LogCaptureFixture
) -> None:
    tiny("llama").save_pretrained(tmp_path)
    rewrite_config(tmp_path, **changes)
    logger = logging.getLogger("transformers")  # which passes nothing on to its parent
    logger.addHandler(caplog.handler)
    try:
        with pytest.raises(ModelRefused, match=f"of its weights are missing or .* them {first}"):
            load(EngineConfig(str(tmp_path)))
    finally:
        logger.removeHandler(caplog.handler)
    assert caplog.text == "", "the refusal is all that is said"


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    model = tiny("llama")
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelRefused, match="safetensors"):
        load(EngineConfig(str(tmp_path)))


def test_model_whose_attention_is_not_what_it_tells_is_refused() -> None:
    """The self-check compares logits: here a layer asks for a scaling that it does not use."""
    model = tiny("llama")
    module = model.model.layers[1].self_attn
    project = module.v_proj.forward
    calls = iter(range(100))
    module.v_proj.forward = lambda hidden: project(hidden) * (1.0 + next(calls))
    with pytest.raises(ModelRefused, match=r"all tokens at once.*logits are off"):
        streaming_of(model)


def test_adapter_that_does_not_fit_the_model_is_refused() -> None:
    """The self-check sees it: here BLOOM's own attention weighs its biases twice."""
    model = tiny("bloom")
    for block in model.transformer.h:
        block.self_attention.beta = 2.0
    with pytest.raises(ModelRefused, match=r"all tokens at once.*logits are off"):
        streaming_of(model)
