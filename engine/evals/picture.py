"""The paper's picture: how perplexity and memory run on, far past the length of the window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

from engine.evals.reading import Bucket, Reading

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MEGABYTE = 1e6


def draw(readings: Sequence[Reading], window_size: int, path: Path) -> None:
    """Two panels over the tokens read: perplexity, and bytes of the session and of the process.

    A cross ends the curve of a policy, with the reason. The file's ending says its format.
    """
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(9, 7), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    for number, reading in enumerate(readings):
        _draw_perplexity(upper, reading, f"C{number}")
        _draw_memory(lower, reading, f"C{number}")
    for axes in (upper, lower):
        axes.axvline(window_size, color="grey", linestyle=":", linewidth=0.9)
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.25)
    upper.set_ylabel("perplexity")
    upper.legend(title=f"dotted line: the window of {window_size:,} is full", fontsize="small")
    lower.set(xlabel="tokens read", ylabel="MB")
    lower.legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_perplexity(axes: Axes, reading: Reading, color: str) -> None:
    buckets = _whole(reading.buckets)
    tokens = [bucket.num_tokens for bucket in buckets]
    values = [math.exp(bucket.loss) for bucket in buckets]
    label = f"{reading.policy}: {reading.num_tokens:,} tokens ({reading.ended})"
    axes.plot(tokens, values, color=color, linewidth=1.0, label=label)
    axes.plot(tokens[-1:], values[-1:], color=color, marker="x", markersize=8)


def _draw_memory(axes: Axes, reading: Reading, color: str) -> None:
    tokens = [bucket.num_tokens for bucket in reading.buckets]
    session = [bucket.kv_bytes / MEGABYTE for bucket in reading.buckets]
    process = [bucket.resident_bytes / MEGABYTE for bucket in reading.buckets]
    axes.plot(tokens, process, color=color, linestyle="--", label=f"{reading.policy}: process")
    axes.plot(tokens, session, color=color, label=f"{reading.policy}: keys and values")


def _whole(buckets: Sequence[Bucket]) -> Sequence[Bucket]:
    """Without a last one that was cut short, whose mean would be a few tokens' noise."""
    is_short = len(buckets) > 1 and 2 * buckets[-1].count < buckets[-2].count
    return buckets[:-1] if is_short else buckets
