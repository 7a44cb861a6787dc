"""The seam with transformers: its models call `attend` here, whoever is attending answers.

The plan of a step cannot travel through the model as keyword arguments (StableLM and Nemotron
drop them), so it is kept here, per thread, for the time of one forward pass.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import AttentionInterface

IMPLEMENTATION = "weir"


@dataclass(frozen=True)
class LayerCall:
    """What a layer says about itself beside its tensors."""

    layer: int
    scaling: float
    sliding_window: int | None = None
    softcap: float | None = None
    sink_logits: Tensor | None = None  # (heads,): one more term in the softmax's denominator
    alibi_slopes: Tensor | None = None  # (heads,) float32: a score loses slope * distance


class Attend(Protocol):
    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query (H, N, D), key and value (KV, N, D) of one packed step, the numbers of a head side
        by side -> (N, H, D)."""


_active = threading.local()


@contextmanager
def attending(attend: Attend) -> Iterator[None]:
    """Within this block, every attention layer of this thread calls `attend`."""
    _active.attend = attend
    try:
        yield
    finally:
        _active.attend = None


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    alibi_slopes: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """query (1, H, N, D), key and value (1, KV, N, D) of a layer -> (1, N, H, D)."""
    call = LayerCall(
        layer=int(module.layer_idx),  # type: ignore[arg-type]
        scaling=query.shape[-1] ** -0.5 if scaling is None else scaling,
        sliding_window=sliding_window,
        softcap=softcap,
        sink_logits=s_aux,
        alibi_slopes=alibi_slopes,
    )
    attend: Attend = _active.attend
    return attend(call, *map(_dense, (query[0], key[0], value[0]))).unsqueeze(0), None


def _dense(heads: Tensor) -> Tensor:
    """What reads memory as it lies, as fused attention does, takes a head for that much of it."""
    return heads if heads.stride(-1) == 1 else heads.contiguous()


AttentionInterface.register(IMPLEMENTATION, attention)
