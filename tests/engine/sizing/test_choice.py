"""What is chosen for a model and a machine; what was asked for is never overruled. Arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import DTYPES, KV_DTYPES, EngineConfig
from engine.memory.kv_store import LayerShape
from engine.sizing.choice import Asked, choose
from engine.sizing.machine import Machine
from engine.sizing.plan import plan, row_bytes
from engine.sizing.shape import ModelShape

GB = 10**9


def shape(hidden: int, inner: int, num_layers: int, kv_heads: int = 2) -> ModelShape:
    linear = ((hidden, hidden), (hidden, inner), (inner, hidden))
    return ModelShape(
        layers=(LayerShape(kv_heads, 64, 64),) * num_layers,
        linears=linear * num_layers,
        output=(hidden, 32_000),
        is_tied=True,
        num_others=hidden * 32_000,
    )


TINY, SMALL, LARGE = shape(256, 688, 5), shape(576, 1536, 30, 3), shape(4096, 14_336, 32, 8)
SHAPES = [TINY, SMALL, LARGE]
AVX2 = Machine(16 * GB, num_cores=2, has_int8=True, packed_dtypes=frozenset({"float32"}))
VNNI = replace(AVX2, multiplies_int8=True)
GPU = Machine(80 * GB, num_cores=16, is_gpu=True)
MACHINES = [AVX2, VNNI, GPU, replace(AVX2, has_int8=False), replace(VNNI, memory_bytes=2 * GB)]


def chosen(
    shape: ModelShape, machine: Machine, asked: Asked | None = None, **settings: object
) -> EngineConfig:
    device = "cuda" if machine.is_gpu else "cpu"
    config = EngineConfig("m", device=device, **settings)  # type: ignore[arg-type]
    return choose(config, asked or Asked(), shape, machine)


def formats(config: EngineConfig) -> tuple[str, str | None, str | None]:
    return config.dtype, config.kv_dtype, config.weight_dtype


def test_a_model_of_which_python_takes_longer_than_its_weights_stays_in_float32() -> None:
    for machine in (AVX2, VNNI):
        assert formats(chosen(TINY, machine)) == ("float32", None, None)


def test_a_model_that_waits_for_its_weights_has_them_in_what_the_processor_multiplies() -> None:
    assert chosen(SMALL, VNNI).weight_dtype == "int8"
    assert chosen(SMALL, AVX2).weight_dtype is None


def test_weights_that_would_fill_the_memory_take_fewer_bytes() -> None:
    tight = chosen(LARGE, AVX2)
    assert tight.weight_dtype in ("int8", "int4")
    assert plan(tight, LARGE, AVX2, 1).weight_bytes < 0.6 * AVX2.memory_bytes
    without = replace(AVX2, has_int8=False)
    assert formats(chosen(LARGE, without))[::2] == ("bfloat16", None)


def test_a_gpu_computes_in_half_precision_and_has_rows_for_many() -> None:
    config = chosen(SMALL, GPU)
    assert config.dtype == "bfloat16" and config.num_rows > 48


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_leave_the_machine_most_of_its_memory(shape: ModelShape, machine: Machine) -> None:
    config = chosen(shape, machine)
    said = plan(config, shape, machine, 1)
    assert config.num_rows >= 4
    share = 0.6 if machine.is_gpu else 1 / 8
    assert config.num_rows == 4 or said.kv_bytes_total <= share * machine.memory_bytes


def test_a_longer_window_has_fewer_rows_and_rows_that_are_large_are_halved() -> None:
    short, long = chosen(SMALL, VNNI, num_recent=252), chosen(SMALL, VNNI, num_recent=4092)
    assert short.num_rows > long.num_rows
    assert (short.kv_dtype, long.kv_dtype) == (None, "bfloat16")
    assert row_bytes(SMALL, "float32", short.window.size) < 16 * 2**20


def test_a_step_of_a_large_model_is_short_so_that_nobody_is_kept_waiting() -> None:
    large, tiny = chosen(LARGE, VNNI), chosen(TINY, VNNI)
    assert large.max_chunk < tiny.max_chunk == 256
    many_cores = chosen(LARGE, replace(VNNI, num_cores=64))
    assert many_cores.max_chunk > large.max_chunk


@given(
    st.sampled_from(SHAPES),
    st.sampled_from(MACHINES),
    st.builds(
        Asked,
        dtype=st.none() | st.sampled_from(DTYPES),
        kv_dtype=st.none() | st.sampled_from(KV_DTYPES),
        weight_dtype=st.none() | st.sampled_from(["same", "int8", "int4"]),
        num_rows=st.none() | st.integers(2, 64),
        max_chunk=st.none() | st.integers(1, 512),
        max_step_tokens=st.none() | st.integers(64, 4096),
    ),
)
def test_what_was_asked_for_is_what_there_is(
    shape: ModelShape, machine: Machine, asked: Asked
) -> None:
    config = chosen(shape, machine, asked)
    for name in ("dtype", "kv_dtype", "num_rows", "max_chunk", "max_step_tokens"):
        wanted = getattr(asked, name)
        assert wanted is None or getattr(config, name) == wanted, name
    if asked.weight_dtype is not None:
        assert config.weight_dtype == (None if asked.weight_dtype == "same" else asked.weight_dtype)


@pytest.mark.parametrize("machine", MACHINES)
def test_who_names_the_format_of_arithmetic_has_it_everywhere(machine: Machine) -> None:
    config = chosen(LARGE, machine, Asked(dtype="float32"))
    assert formats(config) == ("float32", None, None)
