"""A step on a GPU, from segments to logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakKeyDictionary, proxy

import torch
from torch import Tensor

from engine.attention.hook import Attend
from engine.attention.plan import wanted_logits
from engine.gpu import Gpu
from engine.gpu.attention import GpuAttention, rows_of_queries
from engine.gpu.layout import Layout, lay_out_for_kernels
from engine.gpu.recordings import Record, Recordings
from engine.memory.kv_store import KVStore
from engine.memory.rotary import Rotary
from engine.schedule.scheduler import Segment

# The model's forward pass: input_ids (1, N), position_ids (1, N), the tokens whose logits are
# wanted, and who attends -> (wanted, vocab).
Forward = Callable[[Tensor, Tensor, Tensor, Attend], Tensor]


class GpuSteps:
    """Steps of one model. Where every session brings a single token, and there is a way to record
    such a step, a recording is played."""

    def __init__(
        self,
        gpu: Gpu,
        forward: Forward,
        rotaries: Sequence[Rotary],
        device: torch.device,
        num_groups: int,
        key_dim: int,
        dtype: torch.dtype,
    ) -> None:
        """`num_groups`: query heads that share keys. This and `key_dim`: of the largest layer;
        `dtype`: of the queries."""
        self._gpu = gpu
        self._forward = forward
        self._rotaries = rotaries
        self._device = device
        self._queries_per_block = max(1, rows_of_queries(key_dim, dtype) // num_groups)
        self._recordings: WeakKeyDictionary[KVStore, Recordings] = WeakKeyDictionary()

    def compute(
        self, segments: Sequence[Segment], store: KVStore, *, all_logits: bool = False
    ) -> Tensor:
        """Keys and values go to `store`; (wanted, vocab) logits come back."""
        with self._being_current():
            return self._compute(segments, store, all_logits)

    def _being_current(self) -> AbstractContextManager[None]:
        """Kernels start on the GPU that is current in their thread, wherever their tensors are."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()

    def _compute(self, segments: Sequence[Segment], store: KVStore, all_logits: bool) -> Tensor:
        is_decoding = all(segment.num_tokens == 1 for segment in segments)
        layout = lay_out_for_kernels(segments, 1 if is_decoding else self._queries_per_block)
        wanted = torch.tensor(
            wanted_logits(segments, all_logits=all_logits), dtype=torch.int64, device=self._device
        )
        if is_decoding and self._gpu.record:
            recordings = self._recordings_of(store, self._gpu.record)
            return recordings.play(layout).index_select(0, wanted)
        return self._computed(layout.to(self._device), wanted, store)

    def _recordings_of(self, store: KVStore, record: Record) -> Recordings:
        if store not in self._recordings:
            everything = torch.arange(store.num_rows, device=self._device)
            rows = proxy(store)  # recordings end with the store that they read and write

            def compute(layout: Layout) -> Tensor:
                return self._computed(layout, everything[: layout.num_tokens], rows)

            self._recordings[store] = Recordings(compute, record, store.num_rows, self._device)
        return self._recordings[store]

    def _computed(self, layout: Layout, wanted: Tensor, store: KVStore) -> Tensor:
        attend = GpuAttention(store, layout, self._rotaries, self._gpu.num_processors)
        return self._forward(layout.input_ids, layout.position_ids, wanted, attend)
