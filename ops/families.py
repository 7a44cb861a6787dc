"""The table of families in docs/models.md: what the engine sees of the models of its tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION, LayerCall, attending
from engine.model.model import StreamingModel
from tests.engine.families import FAMILIES, KNOWN_AS, tiny


def families_table() -> str:
    """One row for each type of model, with all that its variants in the tests show."""
    seen: dict[str, tuple[list[str], list[str], list[str]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the models' own code
        for family in FAMILIES:
            model = tiny(family)
            row = seen.setdefault(model.config.model_type, ([], [], []))
            for column, found in zip(row, _look(model), strict=True):
                column += [phrase for phrase in dict.fromkeys(found) if phrase not in column]
    rows = ["| `model_type` | known as | positions | heads | also |"]
    rows.append("| --- | --- | --- | --- | --- |")
    for model_type, columns in seen.items():
        cells = [f"`{model_type}`", KNOWN_AS[model_type], *("; ".join(cell) for cell in columns)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


@dataclass
class _Record:
    """Answers with zeros and keeps what the layers say of themselves."""

    calls: list[LayerCall] = field(default_factory=list)
    num_heads: int = 0

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.calls.append(call)
        self.num_heads = query.shape[0]
        return query.new_zeros(query.shape[1], query.shape[0], value.shape[-1])


def _look(hf: PreTrainedModel) -> tuple[list[str], list[str], list[str]]:
    """Phrases for positions, heads and the rest. ModelRefused if it cannot stream."""
    set_attention(hf, IMPLEMENTATION)
    model = StreamingModel(hf)
    record = _Record()
    place = torch.zeros(1, 1, dtype=torch.long)
    with torch.inference_mode(), attending(record):
        hf(input_ids=place, position_ids=place, use_cache=False)
    num_kv_heads = {shape.num_kv_heads for shape in model.shapes}
    heads = [_sharing(record.num_heads, number) for number in sorted(num_kv_heads)]
    return list(_positions(model, record.calls)), heads, list(_others(hf, record.calls))


def _positions(model: StreamingModel, calls: list[LayerCall]) -> Iterator[str]:
    for call, rotary, shape in zip(calls, model.rotaries, model.shapes, strict=True):
        if call.alibi_slopes is not None:
            yield "ALiBi"
        elif rotary.width == 0:
            yield "none in some layers"
        else:
            pairs = ", interleaved" if rotary.layout == "interleaved" else ""
            part = f", {rotary.width / shape.key_dim:.0%} of a head"
            yield f"rotary{pairs}{part if rotary.width < shape.key_dim else ''}"


def _sharing(num_heads: int, num_kv_heads: int) -> str:
    if num_kv_heads == num_heads:
        return "a key each"
    return "multi-query" if num_kv_heads == 1 else "grouped"


def _others(hf: PreTrainedModel, calls: list[LayerCall]) -> Iterator[str]:
    num_local = sum(call.sliding_window is not None for call in calls)
    if num_local:
        yield "own sliding window" if num_local == len(calls) else "local and global layers"
    if any(call.softcap is not None for call in calls):
        yield "soft cap"
    if any(call.sink_logits is not None for call in calls):
        yield "learned sinks"
    if getattr(hf.config, "num_local_experts", None):
        yield "experts"
    rope_type = (getattr(hf.config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope_type != "default":
        yield f"{rope_type} scaling"
