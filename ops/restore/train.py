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
from ops.restore.windows import QUESTION, Batch, Span, Windows
from ops.stopping import on_sigterm

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
SECONDS_BETWEEN_CHECKPOINTS = 180.0
STEPS_BETWEEN_LINES = 20
STEPS_BETWEEN_SCORES = 400
NUM_SCORED_BATCHES = 8


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
        self._stopping = False
        self._resume()

    def run(self) -> bool:
        """Learns until all words are learnt (True), or until it is asked to stop (False)."""
        with on_sigterm(self._stop):
            while self.num_learnt < self._num_words and not self._stopping:
                self._go_on(self._windows.batches(self._pass))
        self._save()
        self._log(self.scores())
        return self.num_learnt >= self._num_words

    def _go_on(self, batches: list[list[Span]]) -> None:
        """With what is left of a pass."""
        saved_at, losses = time.monotonic(), []
        for spans in batches[self._next :]:
            losses.append(self._step(self._windows.tensors(spans)))
            self.num_learnt += sum(stop - start for start, stop, _ in spans)
            self._next += 1
            if self._next % STEPS_BETWEEN_LINES == 0:
                self._log({"loss": round(sum(losses) / len(losses), 4)})
                losses = []
            if self._next % STEPS_BETWEEN_SCORES == 0:
                self._log(self.scores())
            if time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved_at = time.monotonic()
            if self._stopping or self.num_learnt >= self._num_words:
                return
        self._pass, self._next = self._pass + 1, 0

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
            truth, said = [], []
            for spans in windows.batches(0)[:NUM_SCORED_BATCHES]:
                batch = windows.tensors(spans)
                marks, cases = self._scores(batch)
                truth.append(torch.stack([batch.marks, batch.cases]).flatten(1))
                said.append(torch.stack([marks.argmax(-1), cases.argmax(-1)]).flatten(1))
            for name, value in _f1(torch.cat(truth, 1), torch.cat(said, 1)).items():
                found[f"{kind} {name}"] = value
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

    def _stop(self) -> None:
        self._stopping = True


def _f1(truth: torch.Tensor, said: torch.Tensor) -> dict[str, float]:
    """[2, tokens] of marks and cases."""
    marks = {name: truth[0] == MARKS.index(name) for name in (".", ",", "?")}
    guesses = {name: (said[0] == MARKS.index(name)) & (truth[0] != UNKNOWN) for name in marks}
    right = {name: int((marks[name] & guesses[name]).sum()) for name in marks}
    both = {name: int(marks[name].sum() + guesses[name].sum()) for name in marks}
    found = {name: 2 * right[name] / max(1, both[name]) for name in marks}
    found["all"] = 2 * sum(right.values()) / max(1, sum(both.values()))
    has_capital, says_capital = truth[1] > 0, (said[1] > 0) & (truth[1] != UNKNOWN)
    num_right = int((has_capital & (truth[1] == said[1])).sum())
    found["capitals"] = 2 * num_right / max(1, int(has_capital.sum() + says_capital.sum()))
    return {name: round(value, 3) for name, value in found.items()}
