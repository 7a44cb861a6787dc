"""How fast the weights move, over a budget of time.

Muon turns the hidden matrices, AdamW everything else. The rate warms up, holds, and falls to zero
over the last part of the budget, so that training ends on time however fast the machine is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ops.pretrain.recipe import Recipe


@dataclass
class Budget:
    """Seconds of training, counted over all runs of one training: a restart adds nothing."""

    seconds: float
    clock: Callable[[], float]
    spent: float = 0.0
    _last: float | None = None

    def tick(self) -> None:
        """Count the time since the last tick; the first of a run only starts the watch."""
        now = self.clock()
        self.spent += now - self._last if self._last is not None else 0.0
        self._last = now

    @property
    def share_spent(self) -> float:
        return min(1.0, self.spent / self.seconds)


def rate(recipe: Recipe, step: int, share_spent: float) -> float:
    """The factor on the learning rates at this step, in [0, 1]."""
    warm_up = min(1.0, (step + 1) / recipe.warm_up_steps)
    return warm_up * min(1.0, (1.0 - share_spent) / recipe.decay_share)


def is_decaying(recipe: Recipe, share_spent: float) -> bool:
    return share_spent > 1.0 - recipe.decay_share


class Optimisers:
    """The two of them as one."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        named = dict(model.named_parameters())
        hidden = [p for n, p in named.items() if p.ndim == 2 and ".layers." in n]
        rest = [p for n, p in named.items() if not (p.ndim == 2 and ".layers." in n)]
        self._recipe = recipe
        self._muon = torch.optim.Muon(
            hidden, lr=recipe.muon_learning_rate, weight_decay=recipe.weight_decay, momentum=0.95
        )
        self._adam = torch.optim.AdamW(
            rest, lr=recipe.adam_learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )

    def step(self, factor: float) -> None:
        """One update at this share of the learning rates; leaves no gradients behind."""
        self._muon.param_groups[0]["lr"] = self._recipe.muon_learning_rate * factor
        self._adam.param_groups[0]["lr"] = self._recipe.adam_learning_rate * factor
        for optimiser in (self._muon, self._adam):
            optimiser.step()  # type: ignore[no-untyped-call]
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])
