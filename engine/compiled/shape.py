"""A model of the Llama shape as step.cc wants it: addresses of weights, and sizes.

What is not of this shape is None; what looks like it and computes something else is found out by
the check at load (engine/model/self_check.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from engine.attention.hook import LayerCall
from engine.compiled.layout import address, block_of, output_sums
from engine.memory.rotary import Rotary
from engine.weights.fused_linear import FusedLinear
from engine.weights.int8_linear import Int8Linear
from engine.weights.packing import PackedLinear

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LANES = 16
IN_LAYER = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
IN_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"}
IN_MLP = {"gate_proj", "up_proj", "down_proj", "act_fn"}
POINTER, INTEGER, NUMBER = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


class NotOfThisShape(Exception):
    """The model has something that step.cc does not know."""


class Linear(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in ("weight", "scales", "sums", "bias")),
        *((name, INTEGER) for name in ("inputs", "outputs", "block")),
    )


class Layer(ctypes.Structure):
    _fields_ = (
        ("query_key_value", Linear * 3),
        ("output", Linear),
        ("gate_up", Linear * 2),
        ("down", Linear),
        *((f"{name}_norm", POINTER) for name in ("attention", "inner", "query", "key")),
    )


class Model(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in ("layers", "embedding", "norm", "inv_freq")),
        ("head", Linear),
        *((name, INTEGER) for name in ("num_layers", "hidden", "inner")),
        *((name, INTEGER) for name in ("num_heads", "num_kv_heads", "head_dim", "rotary_width")),
        *((name, NUMBER) for name in ("epsilon", "scaling", "rotary_scale")),
    )


@dataclass
class Described:
    """`model` and what must stay where it is while it is used."""

    model: Model
    kept: list[Any]


class Describing:
    """Finds the weights of one model; all that it takes the address of is kept."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def numbers(self, tensor: Tensor | None, dtype: torch.dtype = torch.float32) -> int | None:
        if tensor is None:
            return None
        if tensor.dtype != dtype or not tensor.is_contiguous():
            raise NotOfThisShape
        self.kept.append(tensor)
        return tensor.data_ptr()

    def norm(self, module: nn.Module, size: int) -> int | None:
        weight: Any = module.weight
        if weight.shape != (size,):
            raise NotOfThisShape
        return self.numbers(weight.detach())

    def linears(self, parent: nn.Module, *names: str) -> list[Linear]:
        """Layers that are given the same inputs, as few as there are."""
        modules = [getattr(parent, name) for name in names]
        if isinstance(modules[0], FusedLinear):
            modules = [modules[0].product.joined]
        return [self.linear(module) for module in modules]

    def linear(self, module: Any) -> Linear:
        if not isinstance(module, PackedLinear | Int8Linear):
            raise NotOfThisShape
        is_int8 = isinstance(module, Int8Linear)
        inputs, outputs = module.in_features, module.out_features
        block = 0 if inputs % LANES else block_of(module.packed)
        if block == 0 or (is_int8 and (block != 64 or module.input_bits != 16)):
            raise NotOfThisShape
        found = Linear(address(module.packed), inputs=inputs, outputs=outputs, block=block)
        found.bias = self.numbers(module.bias)
        if is_int8:
            sums = torch.from_numpy(output_sums(module.packed, outputs, inputs, block))
            scales: Any = module.scales
            filled = nn.functional.pad(scales, (0, len(sums) - outputs))
            found.scales, found.sums = self.numbers(filled), self.numbers(sums, torch.int32)
        self.kept.append(module)
        return found

    def layer(self, module: Any, hidden: int, head_dim: int) -> Layer:
        attention, mlp = module.self_attn, module.mlp
        for part, names in ((module, IN_LAYER), (attention, IN_ATTENTION), (mlp, IN_MLP)):
            if not {name for name, _ in part.named_children()} <= names:
                raise NotOfThisShape
        layer = Layer(
            output=self.linear(attention.o_proj),
            down=self.linear(mlp.down_proj),
            attention_norm=self.norm(module.input_layernorm, hidden),
            inner_norm=self.norm(module.post_attention_layernorm, hidden),
        )
        of_attention = self.linears(attention, "q_proj", "k_proj", "v_proj")
        for place, linear in enumerate(of_attention):
            layer.query_key_value[place] = linear
        for place, linear in enumerate(self.linears(mlp, "gate_proj", "up_proj")):
            layer.gate_up[place] = linear
        if hasattr(attention, "q_norm"):
            layer.query_norm = self.norm(attention.q_norm, head_dim)
            layer.key_norm = self.norm(attention.k_norm, head_dim)
        return layer


def describe(
    hf: PreTrainedModel, calls: Sequence[LayerCall], rotaries: Sequence[Rotary]
) -> Described | None:
    """`calls`: what its layers say about themselves; `rotaries`: how each rotates."""
    try:
        return _described(hf, calls, rotaries)
    except (AttributeError, NotOfThisShape):
        return None


def _described(
    hf: PreTrainedModel, calls: Sequence[LayerCall], rotaries: Sequence[Rotary]
) -> Described:
    base: Any = hf.base_model
    config = hf.config
    first, rotary = calls[0], rotaries[0]
    plain = [LayerCall(number, first.scaling) for number in range(len(calls))]
    is_uniform = list(calls) == plain and set(rotaries) == {rotary}
    sizes = config.hidden_size, config.intermediate_size, base.layers[0].self_attn.head_dim
    if not is_uniform or rotary.layout != "halves" or any(size % LANES for size in sizes):
        raise NotOfThisShape
    hidden, inner, head_dim = sizes
    describing = Describing()
    layers = (Layer * len(calls))(
        *(describing.layer(layer, hidden, head_dim) for layer in base.layers)
    )
    embedding: Any = hf.get_input_embeddings()
    head: Any = hf.get_output_embeddings()  # type: ignore[no-untyped-call]
    model = Model(
        layers=ctypes.addressof(layers),
        embedding=describing.numbers(embedding.weight.detach()),
        norm=describing.norm(base.norm, hidden),
        inv_freq=describing.numbers(rotary.inv_freq.to(torch.float64), torch.float64),
        head=describing.linear(head),
        num_layers=len(calls),
        hidden=hidden,
        inner=inner,
        num_heads=config.num_attention_heads,
        num_kv_heads=config.num_key_value_heads,
        head_dim=head_dim,
        rotary_width=rotary.width,
        epsilon=base.norm.variance_epsilon,
        scaling=first.scaling,
        rotary_scale=base.rotary_emb.attention_scaling,
    )
    return Described(model, [layers, *describing.kept])
