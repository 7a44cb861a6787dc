"""Learn how each layer rotates by watching it, instead of keeping a list of model families.

The same token is shown at several positions. While attention answers with zeros, its hidden
states cannot depend on the position, so that a layer's query at position p is its query at 0,
rotated by p and changed in no other way. What does not fit is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.attention.hook import LayerCall, attending
from engine.errors import NotStreamable
from engine.memory.kv_store import LayerShape
from engine.memory.rotary import Layout, Rotary

# Near positions exist in every model, so that learned ones are told as what they are. Far ones
# show the slow pairs, and whatever depends on the length.
NEAR = (0, 1, 5)
FAR = (0, 1, 5, 100, 3_000, 20_000)
LAYOUTS: tuple[Layout, ...] = ("halves", "interleaved")
# Of a query's length. Half precision rounds cosines to 2**-8; a wrong guess is wrong by about 1.
TOLERANCE = 1e-3
TOLERANCE_IN_HALF_PRECISION = 3e-2


@dataclass
class Watch:
    """Answers with zeros and keeps what the layers brought."""

    calls: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.calls[call.layer] = (query, key, value)
        return query.new_zeros(query.shape[1], query.shape[0], value.shape[-1])


def probe_layers(model: nn.Module, num_layers: int) -> tuple[list[LayerShape], list[Rotary]]:
    """Shape and rotation of every layer; NotStreamable if one of them is beyond us."""
    near = _watch(model, NEAR)
    if sorted(near) != list(range(num_layers)):
        raise NotStreamable(
            f"only {len(near)} of its {num_layers} layers go through the attention interface of "
            "transformers (the others are recurrent, or attend in a way of their own)"
        )
    if not all(_same_everywhere(value) for _, _, value in near.values()):
        raise NotStreamable(
            "it adds the position to the hidden states (learned or absolute positions), so that "
            "keys and values cannot be kept while the window moves on"
        )
    candidates = list(_candidates(model))
    layers = sorted(_watch(model, FAR).items())
    shapes = [LayerShape(k.shape[0], k.shape[-1], v.shape[-1]) for _, (_, k, v) in layers]
    return shapes, [_recognise(layer, torch.cat((q, k)), candidates) for layer, (q, k, _) in layers]


def _watch(model: nn.Module, positions: Sequence[int]) -> dict[int, tuple[Tensor, Tensor, Tensor]]:
    """Query, key and value (heads, N, D) of each layer for one token at `positions`."""
    watch = Watch()
    places = torch.tensor([positions], device=next(model.parameters()).device)
    try:
        with torch.inference_mode(), attending(watch):
            model(input_ids=torch.ones_like(places), position_ids=places, use_cache=False)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise NotStreamable(f"it does not run with packed positions ({reason})") from error
    return watch.calls


def _candidates(model: nn.Module) -> Iterator[Rotary]:
    """No rotation, then every frequency table of the model in either layout."""
    device = next(model.parameters()).device
    yield Rotary(torch.zeros(0, device=device))
    tables: list[Tensor] = []
    for name, table in model.named_buffers():
        is_table = name.endswith("inv_freq") and not name.endswith("original_inv_freq")
        if is_table and not any(torch.equal(table, known) for known in tables):
            tables.append(table)
            frequencies = table.detach().to(torch.promote_types(table.dtype, torch.float32))
            yield from (Rotary(frequencies.clone(), layout) for layout in LAYOUTS)


def _same_everywhere(value: Tensor) -> bool:
    """Whether a token's value (KV, N, D) is the same at every position."""
    difference = (value - value[:, :1]).float().norm()
    return bool(difference <= _tolerance(value) * value.float().norm())


def _recognise(layer: int, heads: Tensor, candidates: list[Rotary]) -> Rotary:
    """The rotation that turns `heads` (heads, N, D) at position 0 into those at the others."""
    errors = [_misfit(heads, rotary) for rotary in candidates]
    best = min(range(len(candidates)), key=errors.__getitem__)
    if not errors[best] <= _tolerance(heads):
        raise NotStreamable(
            f"layer {layer} turns its queries or keys in a way that depends on more than the "
            f"distance between tokens (off by {errors[best]:.0%})"
        )
    return candidates[best]


def _misfit(heads: Tensor, rotary: Rotary) -> float:
    """Root mean square error relative to the heads' length, infinite if it cannot fit."""
    if rotary.width > heads.shape[-1]:
        return torch.inf
    cos, sin = rotary.angles(torch.tensor(FAR, device=heads.device))
    at_zero = heads[:, :1].float()
    expected = rotary.turn(at_zero.expand(-1, len(FAR), -1), cos, sin)
    return float((expected - heads.float()).norm() / heads.float().norm())


def _tolerance(heads: Tensor) -> float:
    return TOLERANCE_IN_HALF_PRECISION if heads.dtype.itemsize == 2 else TOLERANCE
