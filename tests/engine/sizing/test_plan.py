"""A plan is made without the weights; the engine, with them, then takes what the plan said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine import Asked, EngineConfig, ModelRefused, planned
from engine.engine import Engine
from engine.memory.formats import format_of
from engine.model.model import StreamingModel
from engine.sizing.machine import this_machine
from engine.sizing.plan import plan
from engine.sizing.shape import shape_by_config
from engine.weights.quantise import quantise
from tests.engine import gguf_files, local_model
from tests.engine.families import FAMILIES, tiny
from tests.engine.local_model import CHAT_TEMPLATE
from tests.engine.streams import streaming_of
from tests.engine.weights.torchao_missing import without_torchao

FORMATS = {
    "float32": {},
    "bfloat16": {"dtype": "bfloat16"},
    "float16": {"dtype": "float16"},
    "rows in bfloat16": {"kv_dtype": "bfloat16"},
    "rows in int8": {"kv_dtype": "int8"},
    "weights in int8": {"weight_dtype": "int8"},
    "weights in int4": {"weight_dtype": "int4"},
    "weights in int4, bfloat16": {"weight_dtype": "int4", "dtype": "bfloat16"},
    "all in int8": {"weight_dtype": "int8", "kv_dtype": "int8", "compute_dtype": "int8"},
}


def loaded(family: str, config: EngineConfig) -> Engine:
    """What `Engine.load` makes, of a tiny model."""
    hf = tiny(family, getattr(torch, config.dtype))
    if config.weight_dtype:
        quantise(hf, config.weight_dtype)
    model = streaming_of(hf)
    packed = StreamingModel(hf, format_of(config.kv_dtype or config.dtype), config.compute_dtype)
    packed.pack()
    assert model.shapes == packed.shapes
    return Engine(config, packed, tokenizer=None)  # type: ignore[arg-type]


def require_as_planned(family: str, config: EngineConfig) -> None:
    said = plan(config, shape_by_config(FAMILIES[family]()), this_machine("cpu"), num_streams=1)
    engine = loaded(family, config)
    memory = engine.memory()
    assert said.bytes_per_row == memory.bytes_per_row
    assert said.kv_bytes_total == memory.kv_bytes_total
    assert said.weight_bytes == engine.model.weight_bytes
    assert said.num_weights == sum(weight.numel() for weight in tiny(family).parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_what_was_planned(family: str) -> None:
    require_as_planned(family, EngineConfig("tiny", num_recent=12, num_rows=3))


@pytest.mark.parametrize("formats", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("family", ["llama", "gemma2", "bloom"])
def test_every_format_takes_what_was_planned(family: str, formats: dict[str, str]) -> None:
    require_as_planned(family, EngineConfig("tiny", num_recent=12, num_rows=3, **formats))


def test_streams_without_a_row_take_what_was_planned() -> None:
    """Nine streams whose windows are full, on two rows."""
    num_streams = 9
    config = EngineConfig(
        "bundled", num_recent=28, num_rows=2, num_sessions=num_streams, max_step_tokens=64
    )
    said = planned(config, Asked(num_rows=2), num_streams=num_streams)
    engine = Engine.load(said.config)
    for _ in range(num_streams):
        engine.feed(engine.open(), range(40))
        while engine.has_work:
            engine.step()
    memory = engine.memory()
    assert (memory.parked_in_host, memory.host_bytes) == (said.num_parked, said.parked_bytes)
    assert (memory.bytes_per_row, memory.kv_bytes_total) == (
        said.bytes_per_row,
        said.kv_bytes_total,
    )
    assert said.host_bytes == said.parked_bytes and said.disk_bytes == 0


def test_what_host_memory_has_no_room_for_is_planned_on_disk() -> None:
    config = EngineConfig("bundled", num_recent=28, park_dir=Path("parked"), park_host_bytes=10**6)
    said = planned(config, Asked(num_rows=2), num_streams=100)
    assert said.host_bytes <= 10**6 < said.host_bytes + said.bytes_per_row
    assert said.host_bytes + said.disk_bytes == 98 * said.bytes_per_row


def test_a_plan_reads_no_weights(tmp_path: Path) -> None:
    """A folder whose weights have not come yet, and a GGUF file that is not converted for it."""
    folder = local_model.build(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    config = EngineConfig(str(folder), models_dir=tmp_path / "models")
    assert planned(config, Asked(), num_streams=1).weight_bytes > 0
    assert not (tmp_path / "models").exists()


def test_a_gguf_file_is_planned_for_before_it_is_converted(tmp_path: Path) -> None:
    exported = gguf_files.exported(tmp_path / "exported")
    file = gguf_files.write(exported, tmp_path / "model.gguf", chat_template=CHAT_TEMPLATE)
    config = EngineConfig(str(file), models_dir=tmp_path / "models")
    before = planned(config, Asked(), num_streams=1)
    assert not (tmp_path / "models").exists()
    engine = Engine.load(before.config)
    assert before.weight_bytes == engine.model.weight_bytes
    assert planned(config, Asked(), num_streams=1) == before


def test_a_model_that_cannot_stream_has_no_plan(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no such directory"):
        planned(EngineConfig(str(tmp_path / "none")), Asked(), num_streams=1)


def test_int8_is_not_planned_for_where_its_library_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_torchao(monkeypatch)
    assert not this_machine("cpu").has_int8


def test_a_container_s_limit_is_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, unlimited = tmp_path / "memory.max", tmp_path / "unlimited"
    limit.write_text("500000000\n")
    unlimited.write_text("max\n")
    monkeypatch.setattr("engine.sizing.machine.LIMITS", (unlimited, tmp_path / "none"))
    whole = this_machine("cpu").memory_bytes
    monkeypatch.setattr("engine.sizing.machine.LIMITS", (limit, unlimited))
    assert this_machine("cpu").memory_bytes == 500_000_000 < whole


def test_a_machine_of_another_size_need_not_be_there() -> None:
    on_gpu = EngineConfig("bundled", device="cuda")
    said = planned(on_gpu, Asked(), num_streams=1, memory_bytes=8 * 10**10)
    assert said.config.dtype == "bfloat16"
    assert said.memory_bytes == 8 * 10**10 and said.fits
