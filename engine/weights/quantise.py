"""Weights in int8 and int4, quantised by torchao after the model is loaded.

Only the linear layers between embedding and output layer are. Embedding and output layer, which
many models tie to one tensor, keep the model's dtype: their errors would go into every token, and
straight into every logit. Experts that a model keeps as one tensor for all, and not as linear
layers, stay as they are too.

    int8  one scale an output, symmetric; torchao's own tensor, and its own matmul where packing.py
          knows no better one
    int4  groups of 32 inputs with a scale and a zero each; torchao has no kernel for it that is
          quick in every dtype and on every device, so that weights are unpacked for each matmul,
          but in bfloat16 on a CPU, where packing.py arranges them
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from engine.attention.adapters import PLAIN_LINEARS
from engine.config import INT4_GROUP as GROUP
from engine.errors import ConfigError, NotStreamable
from engine.weights.int4_linear import Int4Linear, PackedInt4Linear
from engine.weights.int8_linear import Int8Linear
from engine.weights.packing import PackedLinear

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def quantise(hf: PreTrainedModel, weight_dtype: str) -> None:
    """Change the linear layers of `hf` to "int8" or "int4", in place.

    ConfigError: torchao is not installed. NotStreamable: nothing to quantise.
    """
    quantization = _torchao()
    linears = linears_of(hf)
    if weight_dtype == "int4":
        linears = {n: linear for n, linear in linears.items() if linear.in_features % GROUP == 0}
    if not linears:
        raise NotStreamable(f"it has no linear layers whose weights could be {weight_dtype}")
    for name, linear in linears.items():
        parent, _, own_name = name.rpartition(".")
        in_dtype = in_int4 if weight_dtype == "int4" else in_int8
        setattr(hf.get_submodule(parent), own_name, in_dtype(linear, quantization))


def linears_of(hf: PreTrainedModel) -> dict[str, nn.Linear]:
    """By name, those between embedding and output layer."""
    output = hf.get_output_embeddings()  # type: ignore[no-untyped-call]
    return {
        name: module
        for name, module in hf.named_modules()
        if type(module) in PLAIN_LINEARS and module is not output
    }


def in_int8(linear: nn.Linear, quantization: Any) -> nn.Linear:
    plain = nn.Linear(linear.in_features, linear.out_features, device="meta")
    plain.weight, plain.bias = linear.weight, linear.bias
    quantization.quantize_(plain, quantization.Int8WeightOnlyConfig())
    return plain


def in_int4(linear: nn.Linear, quantization: Any) -> Int4Linear:
    """Codes (N, K) from 0 to 15, scales (N, G, 1), zeros (N, G, 1), for K inputs in G groups."""
    weight = linear.weight.detach()
    options = {"block_size": (1, GROUP), "quant_min": 0, "quant_max": 15}
    scales, zeros = quantization.choose_qparams_affine(
        weight.float(),
        quantization.MappingType.ASYMMETRIC,
        target_dtype=torch.uint8,
        scale_dtype=torch.float16,
        zero_point_dtype=torch.uint8,
        **options,
    )
    codes = quantization.quantize_affine(
        weight.float(), scale=scales, zero_point=zeros, output_dtype=torch.uint8, **options
    )
    per_group = (len(weight), -1, 1)
    steps = scales.view(per_group), zeros.view(per_group)
    return Int4Linear(codes, *steps, linear.bias, weight.dtype)


def weight_tensors(hf: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """The tensors that hold the weights, tied ones once: of a quantised one its parts."""
    for name, weight in hf.named_parameters():
        # A tensor that is made of others says of which, torch's protocol for such.
        parts = weight.__tensor_flatten__()[0] if hasattr(weight, "__tensor_flatten__") else None
        if parts is None:
            yield name, weight
        else:
            yield from ((f"{name}.{part}", getattr(weight, part)) for part in parts)


def num_bytes(hf: PreTrainedModel) -> int:
    """What the weights take, packed ones included."""
    tensors = [tensor for _, tensor in weight_tensors(hf)]
    for part in hf.modules():
        if isinstance(part, PackedLinear | Int8Linear | PackedInt4Linear):
            tensors += part.weight_tensors
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _torchao() -> Any:
    try:
        return import_module("torchao.quantization")
    except ImportError as error:
        raise ConfigError(
            "weight_dtype='int8' and 'int4' need torchao: pip install 'weir[quantized]'."
        ) from error
