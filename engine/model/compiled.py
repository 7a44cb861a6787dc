"""Compiled steps of a loaded model, where they can be had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.attention.hook import LayerCall, attending
from engine.compiled.compiler import library
from engine.compiled.shape import describe
from engine.compiled.steps import CompiledSteps
from engine.memory.rotary import Rotary

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def compiled_steps_of(hf: PreTrainedModel, rotaries: Sequence[Rotary]) -> CompiledSteps | None:
    """Not checked yet. None: no compiler, a GPU, numbers other than float32, or another shape."""
    if hf.device.type != "cpu" or hf.dtype != torch.float32:
        return None
    described = describe(hf, _calls_of(hf), rotaries)
    if described is None:
        return None
    compiled = library()
    return None if compiled is None else CompiledSteps(compiled, described)


@torch.inference_mode()
def _calls_of(hf: PreTrainedModel) -> list[LayerCall]:
    """What the layers say about themselves, in their order."""
    calls: list[LayerCall] = []

    def watch(call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        calls.append(call)
        return query.new_zeros(query.shape[1], query.shape[0], value.shape[-1])

    with attending(watch):
        hf.base_model(input_ids=torch.ones(1, 1, dtype=torch.int64), use_cache=False)
    return calls
