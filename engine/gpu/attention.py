"""How a GPU attends: for each layer of a step a few kernels over rows where they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.attention.hook import LayerCall
from engine.gpu import kernels
from engine.gpu.layout import Layout
from engine.memory.formats import Kept
from engine.memory.kv_store import KVStore
from engine.memory.rotary import Rotary

# Of a block of queries, in the memory of a processor; products of float32 take more beside them.
BLOCK_BYTES = 32 * 1024
BLOCK_BYTES_OF_FLOAT32 = 8 * 1024
MOST_ROWS = 128
SMALLEST = 16  # matrix products of fewer rows or columns are none of a GPU's
BLOCK_SINKS = 16
FAR = 1 << 30  # tokens: farther than any window
MOST_SHARES = 64
# Programs for each of a GPU's processors, so that none of them waits.
PROGRAMS_PER_PROCESSOR = 2


class GpuAttention:
    """Attends for one step, as StepAttention does.

    Letters: H query heads, KV key-value heads, N tokens of the step, D and E numbers of a key and a
    value.
    """

    def __init__(
        self, store: KVStore, layout: Layout, rotaries: Sequence[Rotary], num_processors: int
    ) -> None:
        """`num_processors`: what runs at once on this GPU."""
        self._store = store
        self._layout = layout
        self._rotaries = rotaries
        self._num_processors = num_processors
        self._angles: dict[Rotary, tuple[Tensor, Tensor]] = {}

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        kept = self._store.format
        sight = Sight(
            query,
            kept.encode(key),
            kept.encode(value),
            self._store.keys[call.layer],
            self._store.values[call.layer],
        )
        answers = self._attend(call, sight)
        self._keep(sight)
        return answers

    def _attend(self, call: LayerCall, sight: Sight) -> Tensor:
        layout, num_shares = self._layout, self._num_shares(sight)
        is_shared = num_shares > 1
        dtype = torch.float32 if is_shared else sight.query.dtype
        shape = num_shares, layout.num_tokens, sight.num_heads
        answers = sight.query.new_empty(*shape, sight.value_dim, dtype=dtype)
        totals = sight.query.new_empty(shape, dtype=torch.float32)
        rotary = self._rotaries[call.layer]
        kernels.attend[layout.num_blocks, sight.num_kv_heads, num_shares](
            sight.query,
            *sight.new,
            *sight.held,
            *self._angles_of(rotary),
            totals if call.sink_logits is None else call.sink_logits.contiguous(),
            totals if call.alibi_slopes is None else call.alibi_slopes.contiguous(),
            layout.of_tokens,
            layout.of_segments,
            layout.of_blocks,
            answers,
            totals,
            layout.num_tokens,
            self._store.num_slots,
            call.scaling,
            call.softcap or 1.0,
            min(call.sliding_window or FAR, FAR),
            *sight.query.stride()[:2],
            *sight.new_strides,
            **sight.sizes,
            **_blocks(sight, layout.queries_per_block),
            **_traits(call, rotary),
        )
        return self._joined(answers, totals, sight.query.dtype) if is_shared else answers[0]

    def _joined(self, shared: Tensor, totals: Tensor, dtype: torch.dtype) -> Tensor:
        num_shares, num_tokens, num_heads, dim = shared.shape
        answers = shared.new_empty(num_tokens, num_heads, dim, dtype=dtype)
        kernels.join[num_tokens, num_heads](
            shared,
            totals,
            answers,
            num_tokens,
            num_shares,
            H=num_heads,
            E=dim,
            BLOCK_SHARES=_power_of_two(num_shares),
            BLOCK_E=_power_of_two(dim),
        )
        return answers

    def _keep(self, sight: Sight) -> None:
        kernels.keep[self._layout.num_tokens, sight.num_kv_heads](
            *sight.new,
            *sight.held,
            self._layout.of_tokens,
            self._layout.num_tokens,
            self._store.num_slots,
            *sight.new_strides,
            **sight.sizes,
        )

    def _angles_of(self, rotary: Rotary) -> tuple[Tensor, Tensor]:
        """(N, width / 2) twice: by how much each query is turned back to look at the sinks."""
        if rotary not in self._angles:
            self._angles[rotary] = rotary.angles(-self._layout.turns)
        return self._angles[rotary]

    def _num_shares(self, sight: Sight) -> int:
        """Programs among which a query's recent tokens are shared out: several when queries alone
        would leave processors idle."""
        num_programs = self._layout.num_blocks * sight.num_kv_heads
        wanted = PROGRAMS_PER_PROCESSOR * self._num_processors // num_programs
        useful = math.ceil(self._store.num_slots / _block_of_keys(sight))
        return max(1, min(wanted, useful, MOST_SHARES))


@dataclass(frozen=True)
class Sight:
    """What a layer looks with and at: query (H, N, D), new (KV, N, D or E) of the step, and what is
    kept, (rows, KV, slots, D or E)."""

    query: Tensor
    new_keys: Kept
    new_values: Kept
    keys: Kept
    values: Kept

    @property
    def num_heads(self) -> int:
        return len(self.query)

    @property
    def num_kv_heads(self) -> int:
        return len(self.new_keys.codes)

    @property
    def key_dim(self) -> int:
        return self.query.shape[-1]

    @property
    def value_dim(self) -> int:
        return self.values.codes.shape[-1]

    @property
    def sizes(self) -> dict[str, int]:
        """What kernels are compiled for."""
        return {
            "KV": self.num_kv_heads,
            "D": self.key_dim,
            "E": self.value_dim,
            "BLOCK_D": _block(self.key_dim),
            "BLOCK_E": _block(self.value_dim),
            "HAS_PEAKS": self.keys.peaks is not None,
        }

    @property
    def new_strides(self) -> tuple[int, ...]:
        """From head to head and from token to token, of keys and of values."""
        keys, values = self.new_keys.codes, self.new_values.codes
        return *keys.stride()[:2], *values.stride()[:2]

    @property
    def new(self) -> tuple[Tensor, ...]:
        return _pointers(self.new_keys, self.new_values)

    @property
    def held(self) -> tuple[Tensor, ...]:
        return _pointers(self.keys, self.values)


def _pointers(keys: Kept, values: Kept) -> tuple[Tensor, ...]:
    """Codes and peaks, which lie one after another; where there are none, what is not read."""
    pairs = ((kept.codes, kept.peaks) for kept in (keys, values))
    peaks = [codes if peaks is None else peaks.contiguous() for codes, peaks in pairs]
    return keys.codes, values.codes, *peaks


def _power_of_two(size: int) -> int:
    """The next one."""
    return 1 << (size - 1).bit_length()


def _block(size: int) -> int:
    return max(SMALLEST, _power_of_two(size))


def _blocks(sight: Sight, num_queries: int) -> dict[str, int]:
    """What one program does at a time, and with how many threads."""
    groups = sight.num_heads // sight.num_kv_heads
    num_rows = num_queries * groups
    return {
        "G": groups,
        "QUERIES": num_queries,
        "BLOCK_M": _block(num_rows),
        "BLOCK_T": _block_of_keys(sight),
        "BLOCK_S": BLOCK_SINKS,
        "num_warps": 4 if num_rows <= 64 else 8,
        "num_stages": 2,
    }


def _traits(call: LayerCall, rotary: Rotary) -> dict[str, bool | int | str]:
    """What there is in a layer; the rest is not even compiled."""
    return {
        "WIDTH": rotary.width,
        "IS_INTERLEAVED": rotary.layout == "interleaved",
        "HAS_SOFTCAP": call.softcap is not None,
        "HAS_SLOPES": call.alibi_slopes is not None,
        "HAS_SINK_LOGITS": call.sink_logits is not None,
        "PRECISION": "tf32x3",  # float32 alone has a choice: this is its own precision, nearly
    }


def rows_of_queries(key_dim: int, dtype: torch.dtype) -> int:
    """Rows of a block of queries: all heads that share keys, of as many tokens as there is room."""
    num_bytes = BLOCK_BYTES_OF_FLOAT32 if dtype == torch.float32 else BLOCK_BYTES
    num_rows = num_bytes // (key_dim * dtype.itemsize)
    return max(SMALLEST, min(MOST_ROWS, num_rows))


def _block_of_keys(sight: Sight) -> int:
    """Fewer where each is large: a processor's own memory holds some of them at a time."""
    return 32 if sight.key_dim * sight.query.element_size() > 256 else 64
