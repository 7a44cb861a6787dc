"""(seed, step) -> one batch: no state to save, and a resumed run sees what it would have seen.

A row holds several samples one after the other. Each begins with the sink, token 0, so the row
alone says who may see whom: a token sees the tokens of its own sample, counted from its own sink.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ops.pretrain.recipe import Recipe
from ops.pretrain.tokenizer import SINK_ID, USER_ID

IGNORED = -100
USER_SHARE = 0.7
UNNAMED_SHARE = 0.3


class Batches:
    """The prepared arrays, memory-mapped; `of_step` cuts batches out of them."""

    def __init__(self, prepared: Path, recipe: Recipe) -> None:
        self._recipe = recipe
        self._arrays = {
            path.name.removesuffix(".npy"): np.load(path, mmap_mode="r")
            for path in sorted(prepared.glob("*.npy"))
        }

    def of_step(self, step: int, decaying: bool) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """[(tokens, labels)] of the short and the long rows, int64 [rows, length] each."""
        recipe, rng = self._recipe, np.random.default_rng([self._recipe.seed, step])
        short = recipe.short_mixture_in_decay if decaying else recipe.short_mixture
        long = recipe.long_mixture_in_decay if decaying else recipe.long_mixture
        return [
            self._batch(short, "short", recipe.short_rows, recipe.short_length, rng),
            self._batch(long, "long", recipe.long_rows, recipe.long_length, rng),
        ]

    def _batch(
        self,
        mixture: Mapping[str, float],
        size: str,
        rows: int,
        length: int,
        rng: np.random.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        kinds = rng.choice(list(mixture), size=rows, p=list(mixture.values()))
        cut = [self._row(str(kind), size, length, rng) for kind in kinds]
        tokens = torch.from_numpy(np.stack([row for row, _ in cut]).astype(np.int64))
        learnt = torch.from_numpy(np.stack([flags for _, flags in cut]))
        return tokens, labels_of(tokens, learnt)

    def _row(
        self, kind: str, size: str, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        if kind in ("talk", "prose"):
            unnamed = kind == "talk" and rng.random() < UNNAMED_SHARE
            return _slice(self._arrays["talk_unnamed" if unnamed else kind], length, rng)
        tokens = self._arrays[f"{kind}_{size}.tokens"]
        index = int(rng.integers(len(tokens)))
        return tokens[index], self._arrays[f"{kind}_{size}.learnt"][index]


def _slice(
    text: NDArray[np.uint16], length: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """A sample that begins anywhere in the text, as a window does; repeated if it is too short."""
    head = [SINK_ID, USER_ID] if rng.random() < USER_SHARE else [SINK_ID]
    room = length - len(head)
    start = int(rng.integers(max(1, len(text) - room)))
    body = np.resize(text[start : start + room], room)
    learnt = np.ones(length, dtype=np.bool_)
    learnt[: len(head)] = False
    return np.concatenate([np.array(head, dtype=np.uint16), body]), learnt


def labels_of(tokens: torch.Tensor, learnt: torch.Tensor) -> torch.Tensor:
    """The next token where it is to be learnt, IGNORED elsewhere; [rows, length] as the tokens."""
    labels = torch.full_like(tokens, IGNORED)
    labels[:, :-1] = torch.where(learnt[:, 1:], tokens[:, 1:], IGNORED)
    return labels


def places(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(positions [rows, length], may see [rows, 1, length, length]) of packed samples."""
    index = torch.arange(tokens.shape[1], device=tokens.device)
    begins = tokens == SINK_ID
    start = torch.where(begins, index, 0).cummax(dim=1).values
    same = start[:, :, None] == start[:, None, :]
    causal = index[:, None] >= index[None, :]
    return index - start, (same & causal)[:, None]
