"""The memory of all sessions: one K and one V tensor per layer, made once, never resized.

Letters: L layers, KV key-value heads, D head dim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.rotary import Rotary


@dataclass(frozen=True)
class LayerShape:
    """What one layer keeps for a token: KV heads with D numbers of key and of value."""

    num_kv_heads: int
    key_dim: int
    value_dim: int

    @property
    def numbers_per_token(self) -> int:
        return self.num_kv_heads * (self.key_dim + self.value_dim)


class KVStore:
    """`keys[layer]` and `values[layer]` are (rows, KV, slots, D).

    A row is one session's memory; what its slots hold is said in window.py. Keys are stored
    rotated, and sinks keep the positions 0, 1, 2, ... at which they were written.
    """

    def __init__(
        self,
        shapes: Sequence[LayerShape],
        num_rows: int,
        num_slots: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        def room(num_kv_heads: int, dim: int) -> Tensor:
            return torch.zeros(num_rows, num_kv_heads, num_slots, dim, dtype=dtype, device=device)

        self.keys = [room(shape.num_kv_heads, shape.key_dim) for shape in shapes]
        self.values = [room(shape.num_kv_heads, shape.value_dim) for shape in shapes]
        self.num_slots = num_slots
        numbers_per_token = sum(shape.numbers_per_token for shape in shapes)
        self.bytes_per_row = num_slots * dtype.itemsize * numbers_per_token
        self.num_bytes = num_rows * self.bytes_per_row

    def copy_row(self, source: int, target: int) -> None:
        for tensor in (*self.keys, *self.values):
            tensor[target].copy_(tensor[source])

    def read_row(self, row: int, num_slots: int) -> dict[str, Tensor]:
        """A CPU copy of the first `num_slots` slots of every layer, (KV, num_slots, D) each."""
        return {
            name: tensor[row, :, :num_slots].to("cpu", copy=True).contiguous()
            for name, tensor in self._named()
        }

    def write_row(self, row: int, tensors: dict[str, Tensor]) -> None:
        """The inverse of `read_row`."""
        for name, tensor in self._named():
            part = tensors[name]
            tensor[row, :, : part.shape[1]].copy_(part)

    def turn_keys_back(
        self, row: int, slots: slice, num_positions: int, rotaries: Sequence[Rotary]
    ) -> None:
        """Move the keys of `slots` to positions smaller by `num_positions`: one rounding each."""
        for keys, rotary in zip(self.keys, rotaries, strict=True):
            cos, sin = rotary.angles(torch.tensor([-num_positions], device=keys.device))
            ring = keys[row, :, slots]
            ring.copy_(rotary.turn(ring, cos, sin))

    def _named(self) -> list[tuple[str, Tensor]]:
        return [
            *((f"keys.{layer}", tensor) for layer, tensor in enumerate(self.keys)),
            *((f"values.{layer}", tensor) for layer, tensor in enumerate(self.values)),
        ]
