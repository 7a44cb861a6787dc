"""The engine's settings: what is wrong is named, what is meant is taken."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.config import EngineConfig
from engine.errors import ConfigError

COUNTS = [field.name for field in fields(EngineConfig) if "int" in str(field.type)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""),
        ("num_sinks", -1),
        ("num_recent", 0),
        ("num_rows", 0),
        ("max_chunk", 0),
        ("max_step_tokens", 1),
        ("dtype", "int8"),
        ("kv_dtype", "int4"),
        ("weight_dtype", "float32"),
        ("compute_dtype", "int4"),
        ("compute_dtype", "int8"),  # without weights in int8
        ("device", "tpu"),
        ("device", "cuda:x"),
        ("num_threads", 0),
        ("num_threads", 100_000),
        ("model", None),
        *[(name, value) for name in COUNTS for value in (252.0, "252", True, math.nan)],
        *[(name, None) for name in COUNTS if name not in ("num_threads", "num_sessions")],
    ],
)
def test_wrong_setting_is_named_with_its_value_and_what_is_valid(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name}=.*is not valid: use ") as error:
        EngineConfig(**{"model": "tiny", name: value})  # type: ignore[arg-type]
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("name", COUNTS)
def test_whole_numbers_of_any_kind_become_ints(name: str) -> None:
    config = EngineConfig("tiny", **{"num_rows": 1, name: np.int64(300)})  # type: ignore[arg-type]
    assert config == EngineConfig("tiny", **{"num_rows": 1, name: 300})  # type: ignore[arg-type]
    assert type(getattr(config, name)) is int


@pytest.mark.parametrize("name", ["ctx_size", "n_keep", "n_discard"])
def test_their_names_stand_in_what_is_said_of_them(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}=8\.5 is not valid: use a whole number"):
        EngineConfig.of_context("tiny", **{"ctx_size": 64, name: 8.5})  # type: ignore[arg-type]


def test_paths_may_come_as_texts_and_texts_as_paths() -> None:
    config = EngineConfig(Path("model"), park_dir="parked")  # type: ignore[arg-type]
    assert config == EngineConfig("model", park_dir=Path("parked"))
