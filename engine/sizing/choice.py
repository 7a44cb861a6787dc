"""Number formats, rows and chunks that suit a model on a machine, where nobody has said which.

Arithmetic alone. Formats are chosen for speed where a model is so large that reading its weights
is what takes the time, and within 1 % of perplexity (figures: docs/models.md). Who names a format
for arithmetic has it everywhere; who names any of the others has that one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.sizing.plan import row_bytes, weight_bytes

if TYPE_CHECKING:
    from engine.config import EngineConfig
    from engine.sizing.machine import Machine
    from engine.sizing.shape import ModelShape

# Below so many weights in linear layers Python takes longer than reading them does.
LIGHT_WEIGHTS = 30_000_000
# A row that is larger in float32 is kept in half of that.
LIGHT_ROW_BYTES = 16 * 2**20
MOST_ROWS, LEAST_ROWS = 48, 4
MOST_ROWS_OF_GPU = 256
# What all rows take on a CPU: enough for many to decode together, and no more than a share of it.
ROWS_BYTES, ROWS_SHARE = 512 * 2**20, 8
# Of the memory that weights leave on a GPU, for rows; the rest is for what a step computes.
GPU_ROWS_SHARE = 0.6
# A chunk is as long as one core multiplies in about half a second: others wait for it.
WEIGHTS_PER_CORE = 20e9
MOST_CHUNK, LEAST_CHUNK = 256, 32
CHUNKS_PER_STEP = 4
# Weights may take this share of the memory before they are kept in fewer bytes.
WEIGHTS_SHARE = 0.6


@dataclass(frozen=True)
class Asked:
    """What the user has said; None leaves it to us. weight_dtype: "same" is as `dtype`."""

    dtype: str | None = None
    kv_dtype: str | None = None
    weight_dtype: str | None = None
    num_rows: int | None = None
    max_chunk: int | None = None
    max_step_tokens: int | None = None

    @property
    def leaves_nothing(self) -> bool:
        return None not in (self.num_rows, self.max_chunk, self.max_step_tokens, self.dtype)


def choose(config: EngineConfig, asked: Asked, shape: ModelShape, machine: Machine) -> EngineConfig:
    """`config` with what was asked for, and what suits where nothing was."""
    formats = _with_formats(config, asked, shape, machine)
    num_rows = asked.num_rows or _num_rows(formats, shape, machine)
    chunk = asked.max_chunk or _chunk(shape, machine)
    step_tokens = asked.max_step_tokens or max(CHUNKS_PER_STEP * chunk, num_rows)
    return replace(
        formats,
        num_rows=min(num_rows, step_tokens),
        max_chunk=chunk,
        max_step_tokens=step_tokens,
    )


def _with_formats(
    config: EngineConfig, asked: Asked, shape: ModelShape, machine: Machine
) -> EngineConfig:
    named = {} if asked.kv_dtype is None else {"kv_dtype": asked.kv_dtype}
    if asked.weight_dtype is not None:
        named["weight_dtype"] = asked.weight_dtype
    if asked.dtype is not None:
        return _in(config, {"dtype": asked.dtype} | named)
    if machine.is_gpu:
        return _in(config, {"dtype": "bfloat16"} | named)
    if shape.num_in_linears < LIGHT_WEIGHTS:
        return _in(config, {"dtype": "float32"} | named)
    return _in(config, _of_heavy(config, shape, machine) | named)


def _in(config: EngineConfig, formats: dict[str, str]) -> EngineConfig:
    weights = formats.get("weight_dtype")
    return replace(
        config,
        dtype=formats["dtype"],
        kv_dtype=formats.get("kv_dtype"),
        weight_dtype=None if weights == "same" else weights,
    )


def _of_heavy(config: EngineConfig, shape: ModelShape, machine: Machine) -> dict[str, str]:
    """On a CPU, for a model whose weights are what a token waits for."""
    formats = {"dtype": "float32", "weight_dtype": "same"}
    if machine.has_int8 and machine.multiplies_int8:
        formats["weight_dtype"] = "int8"
    elif not _fits(config, formats, shape, machine):
        formats = (
            formats | {"weight_dtype": "int8"}
            if machine.has_int8
            else {"dtype": "bfloat16", "weight_dtype": "same"}
        )
    if not _fits(config, formats, shape, machine) and machine.has_int8:
        formats = {"dtype": "bfloat16", "weight_dtype": "int4"}
    window = config.window.size
    if row_bytes(shape, "float32", window) > LIGHT_ROW_BYTES:
        formats["kv_dtype"] = "bfloat16"
    return formats


def _fits(
    config: EngineConfig, formats: dict[str, str], shape: ModelShape, machine: Machine
) -> bool:
    weights = weight_bytes(shape, _in(config, formats), machine)
    return weights <= WEIGHTS_SHARE * machine.memory_bytes


def _num_rows(config: EngineConfig, shape: ModelShape, machine: Machine) -> int:
    bytes_per_row = row_bytes(shape, config.kv_dtype or config.dtype, config.window.size)
    if machine.is_gpu:
        left = machine.memory_bytes - weight_bytes(shape, config, machine)
        num_rows = int(left * GPU_ROWS_SHARE) // bytes_per_row
        return max(LEAST_ROWS, min(MOST_ROWS_OF_GPU, num_rows))
    budget = min(ROWS_BYTES, machine.memory_bytes // ROWS_SHARE)
    return max(LEAST_ROWS, min(MOST_ROWS, budget // bytes_per_row))


def _chunk(shape: ModelShape, machine: Machine) -> int:
    """A power of two."""
    if machine.is_gpu:
        return MOST_CHUNK
    most = int(WEIGHTS_PER_CORE * machine.num_cores / max(1, shape.num_weights))
    return max(LEAST_CHUNK, min(MOST_CHUNK, 1 << max(0, most.bit_length() - 1)))
