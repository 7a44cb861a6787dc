"""The paper's picture: how perplexity and memory run on, far past the length of the window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

from engine.evals.reading import Bucket, Reading

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MEGABYTE = 1e6
POINTS_ACROSS = 250
# Curves may run on top of each other: the first is wide and pale, and shows beneath the others.
BENEATH = {"linewidth": 4.0, "alpha": 0.4}
ON_TOP = {"linewidth": 1.1}
# A text is named where its name has room, and its beginning marked wherever it is.
NAMED_SHARE = 0.06


class Point(NamedTuple):
    """The mean loss of some tokens, the last of which is number `num_tokens`, and memory then."""

    num_tokens: int
    loss: float
    kv_bytes: int
    resident_bytes: int


def draw(readings: Sequence[Reading], window_size: int, path: Path) -> None:
    """Perplexity above, bytes of the session and of the process below, over the tokens read.

    A cross ends the curve of a policy. Where one has ended early there is a column for the time
    until then, beside the one for the whole. The file's ending says its format.
    """
    spans = _spans(readings)
    figure, grid = plt.subplots(
        2,
        len(spans),
        figsize=(6 + 3 * len(spans), 7),
        sharex="col",
        sharey="row",
        layout="constrained",
        squeeze=False,
        width_ratios=range(1, len(spans) + 1),
        height_ratios=(3, 2),
    )
    for span, (upper, lower) in zip(spans, grid.T, strict=True):
        _draw_column(readings, span, upper, lower)
        for axes in (upper, lower):
            axes.axvline(window_size, color="grey", linestyle=":", linewidth=0.9)
        _name_texts(upper, max(readings, key=lambda reading: reading.num_tokens), span)
    grid[0, 0].set(ylabel="perplexity")
    grid[1, 0].set(ylabel="MB")
    figure.legend(
        *grid[0, -1].get_legend_handles_labels(),
        loc="outside upper center",
        title=f"Dotted: the window of {window_size:,} is full. Memory: keys and values; broken "
        "lines: the whole process.",
        fontsize="small",
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _spans(readings: Sequence[Reading]) -> list[float]:
    """Tokens across each column."""
    ends = [reading.num_tokens for reading in readings]
    early = [1.25 * min(ends)] if 2 * min(ends) < max(ends) else []
    return [*early, 1.02 * max(ends)]


def _draw_column(readings: Sequence[Reading], span: float, upper: Axes, lower: Axes) -> None:
    for number, reading in enumerate(readings):
        points = list(_points(reading.buckets, span))
        tokens = [point.num_tokens for point in points]
        perplexity = [math.exp(point.loss) for point in points]
        label = f"{reading.policy}: {reading.num_tokens:,} tokens ({reading.ended})"
        style: dict[str, Any] = {"color": f"C{number}", **(ON_TOP if number else BENEATH)}
        upper.plot(tokens, perplexity, **style, label=label)
        if reading.num_tokens <= span:
            upper.plot(tokens[-1:], perplexity[-1:], **style, marker="x", markersize=8)
        lower.plot(tokens, [point.kv_bytes / MEGABYTE for point in points], **style)
        process = [point.resident_bytes / MEGABYTE for point in points]
        lower.plot(tokens, process, **style, linestyle="--")
    for axes in (upper, lower):
        axes.set(xlim=(0, span), yscale="log")
        axes.grid(alpha=0.25)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="x", nbins=4)
    lower.set(xlabel="tokens read")


def _points(buckets: Sequence[Bucket], span: float) -> Iterator[Point]:
    """Buckets in a row make one point as soon as they are wide enough to be seen.

    What is left at the end is too few tokens for a mean and is dropped, unless it is all there is.
    """
    nats, count, is_first = 0.0, 0, True
    for bucket in buckets:
        if bucket.num_tokens - bucket.count > span:
            return
        nats += bucket.loss * bucket.count
        count += bucket.count
        if count >= span / POINTS_ACROSS or (is_first and bucket is buckets[-1]):
            yield Point(bucket.num_tokens, nats / count, bucket.kv_bytes, bucket.resident_bytes)
            nats, count, is_first = 0.0, 0, False


def _name_texts(axes: Axes, reading: Reading, span: float) -> None:
    """Where each file begins: texts differ more than tokens of one text do."""
    begins = [0, *accumulate(mean.count for mean in reading.by_path.values())]
    if sum(begin < span for begin in begins[:-1]) < 2:
        return
    for path, begin, end in zip(reading.by_path, begins, begins[1:], strict=False):
        axes.axvline(begin, color="black", linewidth=0.6, alpha=0.4)
        if min(end, span) - begin > NAMED_SHARE * span:
            at = (begin + 0.005 * span, 0.98)
            transform = axes.get_xaxis_transform()
            axes.text(*at, path.stem, transform=transform, fontsize=7, rotation=90, va="top")
