"""Linear layers that are given the same inputs, computed as one: rounded once, read in one go.

Of an attention's q_proj, k_proj and v_proj the first that is asked computes the outputs of all, and
the others take theirs. Numbers are compared, not tensors: inputs that were changed in place, or lie
where others lay, are other inputs. A model that gives them different ones is slower for it, never
wrong. For weights in int8 alone: in floats this gains nothing (tests/bench/RESULTS.md), and
in int4, which share no rounding, it loses a little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# What models call the layers of one parent that are given the same inputs.
NAMES = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


class Kept(NamedTuple):
    """What one layer was given, a copy, and what the others may take, by their place."""

    inputs: Tensor
    outputs: dict[int, Tensor]


class FusedProduct(nn.Module):
    """`joined` computes the outputs of all, `sizes` of them each, one after another.

    An output is handed out once, and kept until then or until other inputs come, whatever threads
    ask: they may make each other compute again, no more.
    """

    def __init__(self, joined: nn.Module, sizes: Sequence[int]) -> None:
        super().__init__()
        self.joined = joined
        self.sizes = list(sizes)
        self._kept: Kept | None = None

    def answer(self, place: int, inputs: Tensor) -> Tensor:
        """(..., in) -> (..., sizes[place]), contiguous."""
        kept = self._kept
        if kept is not None and _are_equal(kept.inputs, inputs):
            taken = kept.outputs.pop(place, None)
            if not kept.outputs:
                self._kept = None
            if taken is not None:
                return taken
        parts = torch.split(self.joined(inputs), self.sizes, dim=-1)
        outputs: dict[int, Tensor] = {at: part.contiguous() for at, part in enumerate(parts)}
        own = outputs.pop(place)
        self._kept = Kept(inputs.clone(), outputs)
        return own


class FusedLinear(nn.Module):
    """A linear layer whose outputs are computed with those of others, by the `product` of all."""

    def __init__(self, product: FusedProduct, place: int, in_features: int) -> None:
        super().__init__()
        self.product, self.place = product, place
        self.in_features, self.out_features = in_features, product.sizes[place]

    def forward(self, inputs: Tensor) -> Tensor:
        answer: Tensor = self.product.answer(self.place, inputs)
        return answer


def fusible_in(parent: nn.Module) -> Iterator[dict[str, nn.Linear]]:
    """By name, layers of `parent` that may be computed as one."""
    for names in NAMES:
        linears = {name: getattr(parent, name, None) for name in names}
        if all(type(linear) is nn.Linear for linear in linears.values()):
            found: dict[str, nn.Linear] = linears  # type: ignore[assignment]
            if _can_be_joined(list(found.values())):
                yield found


def join(linears: Sequence[nn.Linear]) -> nn.Linear:
    """One layer that computes what these do, one after another."""
    first, num_outputs = linears[0], sum(linear.out_features for linear in linears)
    has_bias = first.bias is not None
    joined = nn.Linear(first.in_features, num_outputs, bias=has_bias, device="meta")
    weight = _stacked([linear.weight.data for linear in linears])
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if has_bias:
        bias = torch.cat([linear.bias for linear in linears])
        joined.bias = nn.Parameter(bias, requires_grad=False)
    return joined


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _can_be_joined(linears: Sequence[nn.Linear]) -> bool:
    is_plain = any(type(linear.weight.data) is Tensor for linear in linears)
    shapes = {(linear.in_features, linear.bias is None, linear.weight.dtype) for linear in linears}
    return not is_plain and len(shapes) == 1


def _stacked(weights: Sequence[Tensor]) -> Tensor:
    """torchao's weights are made of plain tensors, which say how by torch's protocol for such."""
    first: Any = weights[0]
    names, about = first.__tensor_flatten__()
    parts = {name: torch.cat([getattr(weight, name) for weight in weights]) for name in names}
    num_inputs = first.shape[1]
    shape = torch.Size((sum(len(weight) for weight in weights), num_inputs))
    stacked: Tensor = type(first).__tensor_unflatten__(parts, about, shape, (num_inputs, 1))
    return stacked
