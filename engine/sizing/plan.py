"""What a model and its streams take, to the byte: what the engine then reports of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.config import DTYPE_BYTES, INT4_GROUP

if TYPE_CHECKING:
    from engine.config import EngineConfig
    from engine.sizing.machine import Machine
    from engine.sizing.shape import ModelShape

# Python, PyTorch and transformers, before there is a weight; of this alone it is not exact.
PROCESS_BYTES = 600 * 2**20


@dataclass(frozen=True)
class Plan:
    """`num_streams` streams, their windows full, on an engine that is set up as `config`."""

    config: EngineConfig
    num_weights: int
    weight_bytes: int
    bytes_per_row: int
    num_streams: int
    memory_bytes: int

    @property
    def kv_bytes_total(self) -> int:
        """All rows, used or not: reserved at the start."""
        return self.config.num_rows * self.bytes_per_row

    @property
    def num_parked(self) -> int:
        """Streams beyond the rows; each of them has a row when it has something to compute."""
        return max(0, self.num_streams - self.config.num_rows)

    @property
    def parked_bytes(self) -> int:
        return self.num_parked * self.bytes_per_row

    @property
    def host_bytes(self) -> int:
        """Parked in memory; what is beyond its budget lies on disk."""
        if self.config.park_dir is None:
            return self.parked_bytes
        num_in_host = min(self.num_parked, self.config.park_host_bytes // self.bytes_per_row)
        return num_in_host * self.bytes_per_row

    @property
    def disk_bytes(self) -> int:
        return self.parked_bytes - self.host_bytes

    @property
    def needed_bytes(self) -> int:
        """Of the memory that the model is in: of a GPU no parked ones."""
        if self.config.device != "cpu":
            return self.weight_bytes + self.kv_bytes_total
        return self.weight_bytes + self.kv_bytes_total + self.host_bytes + PROCESS_BYTES

    @property
    def fits(self) -> bool:
        return self.needed_bytes <= self.memory_bytes


def plan(config: EngineConfig, shape: ModelShape, machine: Machine, num_streams: int) -> Plan:
    return Plan(
        config,
        shape.num_weights,
        weight_bytes(shape, config, machine),
        row_bytes(shape, config.kv_dtype or config.dtype, config.window.size),
        num_streams,
        machine.memory_bytes,
    )


def row_bytes(shape: ModelShape, kv_dtype: str, num_slots: int) -> int:
    """Keys and values of `num_slots` tokens in all layers; in int8 each vector has a float32."""
    more = 4 if kv_dtype == "int8" else 0
    per_token = sum(
        layer.num_kv_heads * ((layer.key_dim + layer.value_dim) * DTYPE_BYTES[kv_dtype] + 2 * more)
        for layer in shape.layers
    )
    return num_slots * per_token


def weight_bytes(shape: ModelShape, config: EngineConfig, machine: Machine) -> int:
    """As they are arranged on that machine."""
    per_weight = DTYPE_BYTES[config.dtype]
    others = shape.num_others * per_weight
    if shape.is_tied and config.dtype in machine.packed_dtypes:
        # The embedding must stay readable: the output layer is a copy of its own.
        others += shape.output[0] * shape.output[1] * per_weight
    return others + sum(_linear_bytes(*linear, config, machine) for linear in shape.linears)


def _linear_bytes(inputs: int, outputs: int, config: EngineConfig, machine: Machine) -> int:
    per_weight = DTYPE_BYTES[config.dtype]
    if config.weight_dtype == "int8":
        # One scale an output, in float32 where integers are multiplied.
        per_scale = 4 if machine.multiplies_int8 else per_weight
        return inputs * outputs + outputs * per_scale
    if config.weight_dtype == "int4" and inputs % INT4_GROUP == 0:
        if config.dtype == "bfloat16" and machine.int4_block:
            outputs += -outputs % machine.int4_block
            return outputs * inputs // 2 + outputs * (inputs // INT4_GROUP) * 4
        return outputs * inputs // 2 + outputs * (inputs // INT4_GROUP) * 3
    return inputs * outputs * per_weight
