"""How large a model is, told by its configuration alone: no weight is read, nothing is computed.

The model is built of tensors without numbers, and its attention is watched as at load, so that what
a layer keeps for a token is known for every family, whatever its configuration calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from engine.attention.adapters import ADAPTERS, set_attention
from engine.attention.hook import IMPLEMENTATION, LayerCall, attending
from engine.config import EngineConfig
from engine.errors import ModelRefused
from engine.memory.kv_store import LayerShape
from engine.model.refusals import refuse_by_config, refusing
from engine.model.source import described_at
from engine.weights.quantise import linears_of


@dataclass(frozen=True)
class ModelShape:
    """Numbers, not bytes.

    layers      what each keeps for a token
    linears     (inputs, outputs) of those that int8 and int4 are for
    output      (inputs, outputs) of the output layer
    is_tied     whether the output layer shares its weight with the embedding
    num_others  weights that are in none of `linears`: embedding, output layer, norms, biases
    """

    layers: tuple[LayerShape, ...]
    linears: tuple[tuple[int, int], ...]
    output: tuple[int, int]
    is_tied: bool
    num_others: int

    @property
    def num_in_linears(self) -> int:
        return sum(inputs * outputs for inputs, outputs in self.linears)

    @property
    def num_weights(self) -> int:
        return self.num_in_linears + self.num_others


def shape_of(config: EngineConfig) -> ModelShape:
    """ModelRefused: there is no such model, or it cannot stream."""
    source, options = described_at(config)
    return _shape_at(config.model, source, tuple(options.items()))


@lru_cache(maxsize=4)
def _shape_at(name: str, source: str, options: tuple[tuple[str, str], ...]) -> ModelShape:
    try:
        hf_config = AutoConfig.from_pretrained(source, trust_remote_code=False, **dict(options))
    except (OSError, ValueError, KeyError) as error:
        line = " ".join(str(error).split())
        raise ModelRefused(f"{source} could not be loaded: {line[:400]}") from error
    with refusing(name):
        refuse_by_config(hf_config)
    return shape_by_config(hf_config)


def shape_by_config(hf_config: Any) -> ModelShape:
    is_adapted = hf_config.model_type in ADAPTERS
    with torch.device("meta"):
        hf = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            hf_config,
            dtype=torch.bfloat16,  # products of experts know no other where there are no numbers
            attn_implementation="eager" if is_adapted else IMPLEMENTATION,
        )
    set_attention(hf, IMPLEMENTATION)
    linears = list(linears_of(hf).values())
    output = hf.get_output_embeddings()
    embedding = hf.get_input_embeddings()
    num_in_linears = sum(linear.weight.numel() for linear in linears)
    return ModelShape(
        layers=_layers(hf.eval()),
        linears=tuple((linear.in_features, linear.out_features) for linear in linears),
        output=(output.in_features, output.out_features),
        is_tied=output.weight is embedding.weight,
        num_others=sum(weight.numel() for weight in hf.parameters()) - num_in_linears,
    )


def _layers(hf: PreTrainedModel) -> tuple[LayerShape, ...]:
    found: dict[int, LayerShape] = {}

    def watch(call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found[call.layer] = LayerShape(key.shape[0], key.shape[-1], value.shape[-1])
        return query.new_empty(query.shape[1], query.shape[0], value.shape[-1])

    one = torch.zeros(1, 1, dtype=torch.int64, device="meta")
    with torch.inference_mode(), attending(watch):
        hf.base_model(input_ids=one, position_ids=one, use_cache=False)
    return tuple(found[layer] for layer in sorted(found))
