"""A context of llama.cpp: streams that are fed, decoded and kept through its low-level calls."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

BATCH = 256
ALL = -1


class Context:
    """`num_streams` sequences of up to `size` tokens each, with a cache of `cache_type`.

    `is_fused`: attention in one kernel, which is not faster in every precision.

    A stream that outgrows `size` loses the older half of what is not kept and the rest is shifted
    down, call for call as llama.cpp's own `completion` does it.
    """

    def __init__(
        self,
        model: Any,
        cache_type: int,
        *,
        is_fused: bool,
        num_streams: int,
        size: int,
        num_kept: int,
        threads: int,
    ) -> None:
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = num_streams * size
        settings.n_batch = settings.n_ubatch = BATCH
        settings.n_seq_max = num_streams
        settings.n_outputs_max_per_seq = 0  # as many as a batch has
        settings.n_threads = settings.n_threads_batch = threads
        settings.type_k = settings.type_v = cache_type
        settings.kv_unified = False
        settings.flash_attn_type = int(is_fused)
        self._context = llama_cpp.llama_init_from_model(model, settings)
        if not self._context:
            raise RuntimeError(f"llama.cpp opens no context of {num_streams} x {size} tokens")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self._feeding = Batch([0] * BATCH)
        self._together = Batch(range(num_streams))
        self._num_streams = num_streams
        self._size = size
        self._num_kept = num_kept
        self.num_past = 0

    def feed(self, token_ids: Sequence[int]) -> None:
        """To the first stream, without logits, which nobody would read."""
        for part in self._cut(token_ids):
            self._compute(part, wants_logits=False)
        llama_cpp.llama_synchronize(self._context)

    def read(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """(T, vocab): what the first stream answers to each of `token_ids`."""
        rows = []
        for part in self._cut(token_ids):
            self._compute(part, wants_logits=True)
            rows.append(self._logits(len(part)).copy())
        return np.concatenate(rows)

    def _cut(self, token_ids: Sequence[int]) -> Iterator[Sequence[int]]:
        """Batches as large as fit; room is made when there is none."""
        start = 0
        while start < len(token_ids):
            if self.num_past == self._size:
                self._shift()
            stop = start + min(BATCH, self._size - self.num_past)
            yield token_ids[start:stop]
            start = stop

    def _compute(self, token_ids: Sequence[int], *, wants_logits: bool) -> None:
        stop = self.num_past + len(token_ids)
        positions = range(self.num_past, stop)
        self._feeding.compute(self._context, token_ids, positions, wants_logits=wants_logits)
        self.num_past = stop

    def _shift(self) -> None:
        kept = self._num_kept
        num_discarded = (self.num_past - kept) // 2
        stop = kept + num_discarded
        llama_cpp.llama_memory_seq_rm(self._memory, 0, kept, stop)
        llama_cpp.llama_memory_seq_add(self._memory, 0, stop, self.num_past, -num_discarded)
        self.num_past -= num_discarded

    def spread(self) -> None:
        """Every stream becomes a copy of the first."""
        for stream in range(1, self._num_streams):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, stream, ALL, ALL)

    def decode(self, first_ids: Sequence[int], num_tokens: int) -> int:
        """`num_tokens` for each stream, the likeliest each, starting over from what was fed."""
        for stream in range(self._num_streams):
            llama_cpp.llama_memory_seq_rm(self._memory, stream, self.num_past, ALL)
        token_ids: Any = first_ids
        for position in range(self.num_past, self.num_past + num_tokens):
            self._together.compute(self._context, token_ids, position, wants_logits=True)
            token_ids = self._logits(self._num_streams).argmax(axis=1)
        return num_tokens * self._num_streams

    def _logits(self, num_rows: int) -> NDArray[np.float32]:
        """(num_rows, vocab) of the last batch, a view."""
        shape = (num_rows, self._vocab_size)
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self._context), shape=shape)

    @property
    def stream_bytes(self) -> int:
        """Of the first stream's keys and values as they are, and what finds them again."""
        return int(llama_cpp.llama_state_seq_get_size(self._context, 0))

    def save(self, file: Path) -> None:
        done = llama_cpp.llama_state_seq_save_file(self._context, bytes(file), 0, None, 0)
        if not done:
            raise RuntimeError(f"llama.cpp does not write {file}")

    def restore(self, file: Path) -> None:
        """Into the first stream, in place of what it holds."""
        count = ctypes.c_size_t()
        done = llama_cpp.llama_state_seq_load_file(
            self._context, bytes(file), 0, (ctypes.c_int32 * 1)(), 1, ctypes.byref(count)
        )
        if not done:
            raise RuntimeError(f"llama.cpp does not read {file}")

    def close(self) -> None:
        self._feeding.close()
        self._together.close()
        llama_cpp.llama_free(self._context)


class Batch:
    """Room for one token of each of `streams`, the same ones in every pass."""

    def __init__(self, streams: Sequence[int]) -> None:
        size = len(streams)
        self._batch = llama_cpp.llama_batch_init(size, 0, 1)
        self._token_ids, self._positions, self._wanted, num_streams_of = (
            np.ctypeslib.as_array(field, shape=(size,))
            for field in (
                self._batch.token,
                self._batch.pos,
                self._batch.logits,
                self._batch.n_seq_id,
            )
        )
        num_streams_of[:] = 1
        for place, stream in enumerate(streams):
            self._batch.seq_id[place][0] = stream

    def compute(
        self,
        context: Any,
        token_ids: Sequence[int],
        positions: int | Sequence[int],
        *,
        wants_logits: bool,
    ) -> None:
        count = len(token_ids)
        self._batch.n_tokens = count
        self._token_ids[:count] = token_ids
        self._positions[:count] = positions
        self._wanted[:count] = wants_logits
        code = llama_cpp.llama_decode(context, self._batch)
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code} for {count} tokens")

    def close(self) -> None:
        llama_cpp.llama_batch_free(self._batch)
