"""Learn how each layer rotates by watching it, instead of keeping a list of model families.

The same token is shown at several positions. While attention answers with zeros, its hidden
states cannot depend on the position, so that a layer's query at position p is its query at 0,
rotated by p and changed in no other way. What does not fit is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.errors import ModelRefused
from engine.hook import LayerCall, attending
from engine.kv_store import LayerShape
from engine.rotary import Layout, Rotary

# Near ones show the fast pairs, far ones the slow pairs and whatever depends on the length.
POSITIONS = (0, 1, 5, 100, 3_000, 50_000)
LAYOUTS: tuple[Layout, ...] = ("halves", "interleaved")
# Of a query's length. Half precision rounds cosines to 2**-8; a wrong guess is wrong by about 1.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2, torch.float16: 3e-2}


@dataclass
class Watch:
    """Answers with zeros and keeps what the layers brought."""

    calls: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)

    def __call__(self, call: LayerCall, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.calls[call.layer] = (query, key, value)
        return query.new_zeros(query.shape[1], query.shape[0], value.shape[-1])


def probe_layers(model: nn.Module, num_layers: int) -> tuple[list[LayerShape], list[Rotary]]:
    """Shape and rotation of every layer; ModelRefused if one of them is beyond us."""
    watch = Watch()
    device = next(model.parameters()).device
    positions = torch.tensor([POSITIONS], device=device)
    with torch.inference_mode(), attending(watch):
        model(input_ids=torch.ones_like(positions), position_ids=positions, use_cache=False)
    if sorted(watch.calls) != list(range(num_layers)):
        raise ModelRefused(
            f"only {len(watch.calls)} of its {num_layers} layers go through the attention "
            "interface of transformers"
        )
    candidates = list(_candidates(model))
    shapes: list[LayerShape] = []
    rotaries: list[Rotary] = []
    for layer, (query, key, value) in sorted(watch.calls.items()):
        if not _same_everywhere(value):
            raise ModelRefused(
                "it adds the position to the hidden states (learned or absolute positions), so a "
                "token's keys and values cannot be kept while the window moves on"
            )
        shapes.append(LayerShape(key.shape[0], key.shape[-1], value.shape[-1]))
        rotaries.append(_recognise(layer, torch.cat((query, key)), candidates))
    return shapes, rotaries


def _candidates(model: nn.Module) -> Iterator[Rotary]:
    """No rotation, then every frequency table of the model in either layout."""
    device = next(model.parameters()).device
    yield Rotary(torch.zeros(0, device=device))
    tables: list[Tensor] = []
    for name, table in model.named_buffers():
        is_table = name.endswith("inv_freq") and not name.endswith("original_inv_freq")
        if is_table and not any(torch.equal(table, known) for known in tables):
            tables.append(table)
            yield from (Rotary(table.detach().float().clone(), layout) for layout in LAYOUTS)


def _same_everywhere(value: Tensor) -> bool:
    """Whether a token's value (KV, N, D) is the same at every position."""
    difference = (value - value[:, :1]).float().norm()
    return bool(difference <= TOLERANCE[value.dtype] * value.float().norm())


def _recognise(layer: int, heads: Tensor, candidates: list[Rotary]) -> Rotary:
    """The rotation that turns `heads` (heads, N, D) at position 0 into those at the others."""
    errors = [_misfit(heads, rotary) for rotary in candidates]
    best = min(range(len(candidates)), key=errors.__getitem__)
    if not errors[best] <= TOLERANCE[heads.dtype]:
        raise ModelRefused(
            f"layer {layer} turns its queries or keys in a way that depends on more than the "
            f"distance between tokens (off by {errors[best]:.0%})"
        )
    return candidates[best]


def _misfit(heads: Tensor, rotary: Rotary) -> float:
    """Root mean square error relative to the heads' length, infinite if it cannot fit."""
    if rotary.width > heads.shape[-1]:
        return torch.inf
    cos, sin = rotary.angles(torch.tensor(POSITIONS, device=heads.device))
    at_zero = heads[:, :1].float()
    expected = rotary.turn(at_zero.expand(-1, len(POSITIONS), -1), cos, sin)
    return float((expected - heads.float()).norm() / heads.float().norm())
