"""A LoRA adapter is merged at load: what runs is the model that peft would have run with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ConfigError, ModelRefused
from tests.engine import local_model

# peft asks transformers by a name that it will not have for ever.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
IDS = list(range(5, 25))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return local_model.build(tmp_path_factory.mktemp("model"))


def adapter_of(model: Path, folder: Path, *targets: str) -> Path:
    """Random, so that it changes what is said."""
    config = LoraConfig(r=3, lora_alpha=6, target_modules=list(targets), task_type="CAUSAL_LM")
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), ("down_proj",)])
def test_what_is_computed_is_what_peft_computes_with_the_adapter(
    model: Path, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    adapter = adapter_of(model, tmp_path / "adapter", *targets)
    config = EngineConfig(str(model), num_rows=2)
    plain, adapted = Engine.load(config), Engine.load(replace(config, adapter=adapter))
    original = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), adapter)
    with torch.inference_mode():
        expected = original.eval()(torch.tensor([IDS])).logits[0]
    torch.testing.assert_close(adapted.model.dense_logits(IDS), expected, rtol=1e-4, atol=1e-4)
    assert (plain.model.dense_logits(IDS) - expected).abs().max() > 0.1
    assert adapted.model.weight_bytes == plain.model.weight_bytes
    assert adapted.model.fingerprint != plain.model.fingerprint


def test_an_adapter_goes_into_weights_before_they_are_in_int8(model: Path, tmp_path: Path) -> None:
    adapter = adapter_of(model, tmp_path / "adapter", "q_proj")
    config = EngineConfig(str(model), num_rows=2, weight_dtype="int8")
    plain, adapted = Engine.load(config), Engine.load(replace(config, adapter=str(adapter)))
    assert adapted.model.weight_bytes == plain.model.weight_bytes
    assert adapted.model.fingerprint != plain.model.fingerprint


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("adapter_config.json", "is no adapter"),
        ("adapter_model.safetensors", "pickles"),
    ],
)
def test_what_is_no_adapter_is_one_line(
    model: Path, tmp_path: Path, missing: str, says: str
) -> None:
    adapter = adapter_of(model, tmp_path / "adapter", "q_proj")
    (adapter / missing).unlink()
    with pytest.raises(ModelRefused, match=says) as refusal:
        Engine.load(EngineConfig(str(model), num_rows=2, adapter=adapter))
    assert "\n" not in str(refusal.value)


def test_an_adapter_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    adapter = adapter_of(model, tmp_path / "adapter", "q_proj")
    with pytest.raises(ModelRefused, match="Name the model that it was made for") as refusal:
        Engine.load(EngineConfig("bundled", num_rows=2, adapter=adapter))
    assert "\n" not in str(refusal.value)


def test_without_peft_it_is_one_line_that_says_how_to_get_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = adapter_of(model, tmp_path / "adapter", "q_proj")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"weir\[adapters\]"):
        Engine.load(EngineConfig(str(model), num_rows=2, adapter=adapter))
