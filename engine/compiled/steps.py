"""A step of few single tokens, from segments to logits, in compiled code."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from engine.compiled.shape import Described
from engine.memory.formats import Floats
from engine.memory.kv_store import KVStore
from engine.schedule.scheduler import Segment

# From so many tokens on, products of matrices are faster (figures: tests/bench/RESULTS.md).
MOST_TOKENS = 16
KEPT_IN = (Floats(torch.float32), Floats(torch.bfloat16))


class Rows(ctypes.Structure):
    _fields_ = (
        ("keys", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("num_slots", ctypes.c_int64),
        ("are_halves", ctypes.c_int64),
    )


class Token(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("id", "row", "slot", "num_slots", "num_sinks"),
            *("position", "place", "wants_logits"),
        )
    )


class CompiledSteps:
    """Steps of one model, whose weights lie as `described`."""

    def __init__(self, library: ctypes.CDLL, described: Described) -> None:
        self._step = library.step
        self._step.restype = None
        self._described = described
        self._vocab_size = int(described.model.head.outputs)
        self._rows: WeakKeyDictionary[KVStore, tuple[Rows, object]] = WeakKeyDictionary()

    def can(self, segments: Sequence[Segment], store: KVStore) -> bool:
        """Whether it knows such a step: single tokens, few, of windows that move by one."""
        return (
            len(segments) <= MOST_TOKENS
            and store.format in KEPT_IN
            and all(s.num_tokens == 1 and s.session.window.num_discard == 1 for s in segments)
        )

    def compute(
        self, segments: Sequence[Segment], store: KVStore, *, all_logits: bool = False
    ) -> Tensor:
        """Keys and values go to `store`; (wanted, vocab) logits come back."""
        tokens = (Token * len(segments))(*(_token(s, all_logits=all_logits) for s in segments))
        num_wanted = sum(token.wants_logits for token in tokens)
        logits = torch.empty(num_wanted, self._vocab_size)
        self._step(
            ctypes.byref(self._described.model),
            ctypes.byref(self._rows_of(store)),
            tokens,
            ctypes.c_int64(len(tokens)),
            ctypes.c_void_p(logits.data_ptr() if num_wanted else None),
            ctypes.c_int64(torch.get_num_threads()),
        )
        return logits

    def _rows_of(self, store: KVStore) -> Rows:
        if store not in self._rows:
            addresses = [
                (ctypes.c_void_p * len(layers))(*(kept.codes.data_ptr() for kept in layers))
                for layers in (store.keys, store.values)
            ]
            pointers = [ctypes.addressof(one) for one in addresses]
            are_halves = store.format != Floats(torch.float32)
            self._rows[store] = Rows(*pointers, store.num_slots, are_halves), addresses
        return self._rows[store][0]


def _token(segment: Segment, *, all_logits: bool) -> Token:
    session, token = segment.session, segment.first
    window = session.window
    return Token(
        segment.token_ids[0],
        session.row,
        window.slot(token),
        window.num_slots(token + 1),
        window.num_sinks,
        token - session.base,
        window.place(token),
        all_logits or segment.wants_logits,
    )
