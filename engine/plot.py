"""The paper's picture: how the loss runs on, far past the length of the window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from torch import Tensor

matplotlib.use("Agg")

from matplotlib import pyplot as plt

# Losses of single tokens are noise; their mean over so many is a curve.
SMOOTHED_TOKENS = 128


def draw_losses(losses: Mapping[str, Tensor], window_size: int, path: Path) -> None:
    """One curve for each policy, and a line where the window is full; written as PNG."""
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for policy, values in losses.items():
        span = min(SMOOTHED_TOKENS, len(values))
        smooth = values.unfold(0, span, 1).mean(dim=1)
        axes.plot(range(span, len(values) + 1), smooth.tolist(), label=policy, linewidth=1.2)
    axes.axvline(window_size, color="grey", linestyle=":", label="the window is full")
    axes.set_xlabel("token")
    axes.set_ylabel(f"loss in nats, mean of {SMOOTHED_TOKENS} tokens")
    axes.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)
