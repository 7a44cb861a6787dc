"""The training loop: batch -> loss -> update -> log, until so many words were learnt.

It can be stopped at any moment and goes on from its checkpoint with the next batch. The number of
words may be changed in between: the rate falls in a line to zero at the last of them.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from engine.restore.encoder import Encoder
from engine.restore.marks import MARKS
from ops.restore.labels import UNKNOWN
from ops.restore.recipe import Recipe
from ops.restore.windows import QUESTION, Batch, Windows

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
SECONDS_BETWEEN_CHECKPOINTS = 180.0
STEPS_BETWEEN_LINES = 20


class Training:
    def __init__(
        self,
        encoder: Encoder,
        windows: Windows,
        held_out: dict[str, Windows],
        recipe: Recipe,
        folder: Path,
        num_words: int,
    ):
        self.encoder, self._windows, self._held_out = encoder, windows, held_out
        self._recipe, self._folder, self._num_words = recipe, folder, num_words
        encoder.tokens.requires_grad_(False)  # half of all numbers, and the base knows its words
        encoder.positions.requires_grad_(False)
        self._learning = [p for p in encoder.parameters() if p.requires_grad]
        quick = [encoder.case_after_end]  # six numbers from zero to several, in steps of the rate
        others = [p for p in self._learning if p is not encoder.case_after_end]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": quick, "factor": recipe.quick_factor, "weight_decay": 0.0},
                {"params": others, "factor": 1.0, "weight_decay": recipe.decay},
            ],
            lr=recipe.rate,
            betas=(0.9, 0.98),
        )
        weights = torch.ones(len(MARKS))
        weights[QUESTION] = recipe.question_weight
        self._mark_weights = weights
        self.num_learnt = self._pass = self._next = 0
        self._resume()

    def run(self) -> None:
        saved_at, losses = time.monotonic(), []
        while self.num_learnt < self._num_words:
            batches = self._windows.batches(self._pass)
            for number in range(self._next, len(batches)):
                began = time.monotonic()
                losses.append(self._step(self._windows.tensors(batches[number])))
                learnt = sum(stop - start for start, stop, _ in batches[number])
                self.num_learnt, self._next = self.num_learnt + learnt, number + 1
                if number % STEPS_BETWEEN_LINES == 0:
                    speed = round(learnt / (time.monotonic() - began))
                    self._log({"loss": round(sum(losses) / len(losses), 4), "speed": speed})
                    losses = []
                if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                    self._save()
                    self._log(self.scores())
                    saved_at = time.monotonic()
                if self.num_learnt >= self._num_words:
                    break
            else:
                self._pass, self._next = self._pass + 1, 0
        self._save()
        self._log(self.scores())

    def _step(self, batch: Batch) -> float:
        share = self.num_learnt / self._num_words
        factor = min(1.0, (share + 1e-4) / self._recipe.warmup_share) * max(0.0, 1.0 - share)
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate * factor * group["factor"]
        self.encoder.train()
        loss = self._loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._learning, self._recipe.gradient_clip)
        self._optimiser.step()
        self._optimiser.zero_grad()
        return loss.item()

    def _loss(self, batch: Batch) -> torch.Tensor:
        marks, cases = self._scores(batch)
        is_mark, is_case = batch.marks != UNKNOWN, batch.cases != UNKNOWN
        of_marks = cross_entropy(marks[is_mark], batch.marks[is_mark], weight=self._mark_weights)
        of_cases = cross_entropy(cases[is_case], batch.cases[is_case])
        return of_marks + self._recipe.case_weight * of_cases

    def _scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            states = self.encoder(batch.tokens, batch.is_token)
        states = states.float()
        return self.encoder.mark(states), self.encoder.cases(states, batch.after_end)

    @torch.no_grad()
    def scores(self) -> dict[str, float]:
        """F1 on what is held out, in windows like those of training, by the highest score."""
        self.encoder.eval()
        found: dict[str, float] = {}
        for kind, windows in self._held_out.items():
            hits, said, true = (torch.zeros(len(MARKS)) for _ in range(3))
            case_hits = case_said = case_true = 0
            for spans in windows.batches(0)[:12]:
                batch = windows.tensors(spans)
                marks, cases = (s.argmax(-1) for s in self._scores(batch))
                known = batch.marks != UNKNOWN
                hits += torch.bincount(batch.marks[known & (marks == batch.marks)], minlength=7)
                said += torch.bincount(marks[known], minlength=7)
                true += torch.bincount(batch.marks[known], minlength=7)
                known = batch.cases != UNKNOWN
                case_hits += int((known & (batch.cases > 0) & (cases == batch.cases)).sum())
                case_said += int((known & (cases > 0)).sum())
                case_true += int((known & (batch.cases > 0)).sum())
            f1 = 2 * hits / (said + true).clamp(min=1)
            for mark in (1, 2, 3):
                found[f"{kind} {MARKS[mark]}"] = round(float(f1[mark]), 3)
            three = slice(1, 4)
            found[f"{kind} all"] = round(
                float(2 * hits[three].sum() / (said[three] + true[three]).sum()), 3
            )
            found[f"{kind} capitals"] = round(2 * case_hits / max(1, case_said + case_true), 3)
        return found

    def _save(self) -> None:
        state = {
            "encoder": self.encoder.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "progress": (self.num_learnt, self._pass, self._next),
        }
        fresh = self._folder / f"{CHECKPOINT}.new"
        torch.save(state, fresh)
        fresh.replace(self._folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self._folder / CHECKPOINT
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.encoder.load_state_dict(state["encoder"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.num_learnt, self._pass, self._next = state["progress"]

    def _log(self, row: dict[str, float]) -> None:
        line = json.dumps({"at": time.strftime("%H:%M:%S"), "words": self.num_learnt, **row})
        print(line, flush=True)
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
