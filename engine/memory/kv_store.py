"""The memory of all sessions: keys and values of every layer, made once, never resized.

Letters: L layers, KV key-value heads, D head dim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.memory.formats import Format, Kept
from engine.memory.rotary import Rotary


@dataclass(frozen=True)
class LayerShape:
    """What one layer keeps for a token: KV heads with D numbers of key and of value."""

    num_kv_heads: int
    key_dim: int
    value_dim: int

    def bytes_per_token(self, kept_as: Format) -> int:
        return self.num_kv_heads * sum(map(kept_as.num_bytes, (self.key_dim, self.value_dim)))


class KVStore:
    """`keys[layer]` and `values[layer]` are (rows, KV, slots, D), kept as `format` keeps numbers.

    A row is one session's memory; what its slots hold is said in engine/schedule/window.py. Keys
    are stored rotated, and sinks keep the positions 0, 1, 2, ... at which they were written.
    """

    def __init__(
        self,
        shapes: Sequence[LayerShape],
        num_rows: int,
        num_slots: int,
        kept_as: Format,
        device: torch.device,
    ) -> None:
        def room(num_kv_heads: int, dim: int) -> Kept:
            return kept_as.room((num_rows, num_kv_heads, num_slots, dim), device)

        self.format = kept_as
        self.num_rows = num_rows
        self.num_slots = num_slots
        self.bytes_per_row = num_slots * sum(shape.bytes_per_token(kept_as) for shape in shapes)
        self.num_bytes = num_rows * self.bytes_per_row
        try:
            self.keys = [room(shape.num_kv_heads, shape.key_dim) for shape in shapes]
            self.values = [room(shape.num_kv_heads, shape.value_dim) for shape in shapes]
        except (RuntimeError, TypeError):  # too little memory, and sizes beyond 64 bits
            raise EngineError(
                f"There is no memory for {num_rows} rows of {num_slots:,} tokens "
                f"({self.num_bytes:,} bytes): use a smaller window, fewer rows (num_rows), or "
                "numbers of fewer bytes (kv_dtype)."
            ) from None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that there is, by name: (rows, KV, slots, ...) each."""
        tensors: dict[str, Tensor] = {}
        for name, layers in (("keys", self.keys), ("values", self.values)):
            for layer, kept in enumerate(layers):
                tensors[f"{name}.{layer}"] = kept.codes
                if kept.peaks is not None:
                    tensors[f"{name}.{layer}.peaks"] = kept.peaks
        return tensors

    def copy_row(self, source: int, target: int) -> None:
        for tensor in self.tensors.values():
            tensor[target].copy_(tensor[source])

    def read_row(self, row: int, num_slots: int) -> dict[str, Tensor]:
        """A CPU copy of the first `num_slots` slots of every tensor, (KV, num_slots, ...) each."""
        return {
            name: tensor[row, :, :num_slots].to("cpu", copy=True).contiguous()
            for name, tensor in self.tensors.items()
        }

    def write_row(self, row: int, tensors: dict[str, Tensor]) -> None:
        """The inverse of `read_row`."""
        for name, tensor in self.tensors.items():
            part = tensors[name]
            tensor[row, :, : part.shape[1]].copy_(part)

    def turn_keys_back(
        self, row: int, slots: slice, num_positions: int, rotaries: Sequence[Rotary]
    ) -> None:
        """Move the keys of `slots` to positions smaller by `num_positions`: one rounding each."""
        for keys, rotary in zip(self.keys, rotaries, strict=True):
            if rotary.width == 0:
                continue
            cos, sin = rotary.angles(torch.tensor([-num_positions], device=keys.codes.device))
            ring = keys[row, :, slots]
            exact = torch.promote_types(ring.codes.dtype, torch.float32)
            turned = rotary.turn(ring.decoded(exact), cos, sin)
            keys[row, :, slots] = self.format.encode(turned)
