"""The training loop: batch -> loss -> update -> log, until the time budget is spent.

It can be stopped at any moment (SIGTERM, or kill -9 at the price of a few minutes) and goes on
from its checkpoint: the step decides the batch, the checkpoint holds everything else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from ops.pretrain.batches import IGNORED, Batches, places
from ops.pretrain.learning import Budget, Optimisers, is_decaying, rate
from ops.pretrain.recipe import Recipe
from ops.pretrain.shape import new_model
from ops.stopping import on_sigterm

Batch = list[tuple[torch.Tensor, torch.Tensor]]
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
SECONDS_BETWEEN_CHECKPOINTS = 180.0


class Training:
    """One training in one folder: weights, optimisers, step, budget, log."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        seconds: float,
        device: str = "cpu",
        compiled: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.recipe, self.folder, self.device = recipe, folder, torch.device(device)
        self.step = 0
        self.num_tokens = 0
        self.budget = Budget(seconds, clock)
        self.model: LlamaForCausalLM = new_model(recipe)
        self.model.to(device=self.device)  # type: ignore[call-arg]
        self._optimisers = Optimisers(self.model, recipe)
        self._batches = Batches(folder / "prepared", recipe)
        self._loss = (
            torch.compile(self._summed_loss, dynamic=False) if compiled else (self._summed_loss)
        )
        self._stopping = False
        self._resume()

    def run(self, max_steps: int | None = None) -> bool:
        """Train until the budget is spent (True), or stopped, or after `max_steps` (False)."""
        self.budget.tick()
        saved_at, done = self.budget.spent, 0
        with on_sigterm(self._stop):
            while self.budget.share_spent < 1.0 and not self._stopping and done != max_steps:
                self._log(self._one_step())
                done += 1
                if self.budget.spent - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                    self.save()
                    saved_at = self.budget.spent
        self.save()
        return self.budget.share_spent >= 1.0

    def _one_step(self) -> dict[str, Any]:
        began = self.budget.spent
        share_spent = self.budget.share_spent
        batch = self._batches.of_step(self.step, is_decaying(self.recipe, share_spent))
        factor = rate(self.recipe, self.step, share_spent)
        loss = self._backward(batch)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip)
        self._optimisers.step(factor)
        self.budget.tick()
        self.step += 1
        num_tokens = sum(tokens.numel() for tokens, _ in batch)
        self.num_tokens += num_tokens
        return {
            "step": self.step,
            "seconds": round(self.budget.spent, 1),
            "tokens": self.num_tokens,
            "loss": round(loss, 4),
            "rate": round(factor, 4),
            "gradient_norm": round(float(norm), 3),
            "tokens_per_second": round(num_tokens / max(self.budget.spent - began, 1e-9)),
        }

    def _backward(self, batch: Batch) -> float:
        """Gradients of the mean loss per learnt token of the whole step; returns that loss."""
        num_learnt = sum(int((labels != IGNORED).sum()) for _, labels in batch)
        total = 0.0
        for tokens, labels in batch:
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = self._loss(tokens.to(self.device), labels.to(self.device))
            (loss / num_learnt).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total / num_learnt

    def _summed_loss(self, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        positions, may_see = places(tokens)
        logits = self.model(
            input_ids=tokens, position_ids=positions, attention_mask=may_see, use_cache=False
        ).logits
        return cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def save(self) -> None:
        """Replace the checkpoint in one move: a crash leaves the old one or the new one."""
        state = {
            "model": self.model.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "step": self.step,
            "num_tokens": self.num_tokens,
            "seconds": self.budget.spent,
        }
        fresh = self.folder / f"{CHECKPOINT}.new"
        torch.save(state, fresh)
        fresh.replace(self.folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self._optimisers.load_state_dict(state["optimisers"])
        self.step, self.num_tokens = state["step"], state["num_tokens"]
        self.budget.spent = state["seconds"]
        self._forget_log_after(self.step)

    def _log(self, row: dict[str, Any]) -> None:
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def _forget_log_after(self, step: int) -> None:
        """A run that was killed logged steps that its checkpoint does not know."""
        path = self.folder / LOG
        rows = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [row for row in rows if json.loads(row)["step"] <= step]
        path.write_text("".join(f"{row}\n" for row in kept), encoding="utf-8")

    def _stop(self) -> None:
        self._stopping = True
