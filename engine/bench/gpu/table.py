"""What a person reads of each result: a line as soon as it is there, under a heading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.bench.gpu.aims import TIMES_RECOMPUTING
from engine.bench.gpu.ceilings import Ceilings
from engine.bench.gpu.decoding import Decoded
from engine.bench.gpu.exactness import Exactness
from engine.bench.gpu.feeding import Fed
from engine.bench.gpu.recomputing import Recomputed

FIRST_WIDTH = 38
WIDTH = 14
Cells = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading, the names of the columns but the first, and what a result shows in each."""

    title: str
    columns: Cells
    cells_of: Callable[[Any], Cells]


def _ceilings(ceilings: Ceilings) -> Cells:
    return (
        f"{ceilings.matrix_flops / 1e12:,.1f}",
        f"{ceilings.copied_bytes / 1e12:.3f}",
        f"{ceilings.read_bytes / 1e12:.3f}",
    )


def _exactness(exact: Exactness) -> Cells:
    return (
        f"{exact.num_streams} x {exact.num_tokens:,}",
        f"{exact.max_difference:.1e}",
        f"{exact.own_difference:.1e}",
        f"{exact.decoded_short_by:.1e}",
        f"{exact.logits_deviation:.2f}",
    )


def _feeding(fed: Fed) -> Cells:
    return (
        f"{fed.tokens_per_second:,.0f}",
        f"{fed.step_seconds * 1e3:,.2f}",
        f"{fed.tokens_per_second * fed.flops_per_token / 1e12:,.1f}",
        f"{fed.share_of_peak:.1%}",
    )


def _decoding(decoded: Decoded) -> Cells:
    return (
        f"{decoded.tokens_per_second:,.0f}",
        f"{decoded.step_seconds * 1e3:,.2f}",
        f"{decoded.bytes_per_step / 1e9:,.2f}",
        f"{decoded.share_of_bandwidth:.1%}",
        f"{decoded.share_of_reading:.1%}",
    )


def _recomputing(recomputed: Recomputed) -> Cells:
    times = recomputed.times
    return (
        f"{recomputed.our_seconds * 1e3:,.2f}",
        f"{recomputed.recomputed_seconds * 1e3:,.2f}",
        f"{times.median:.1f} x",
        f"{times.lower:.1f} to {times.upper:.1f}",
    )


SECTIONS = {
    "ceilings": Section(
        "What this card does at best, bfloat16, measured now",
        ("TFLOP/s", "copy TB/s", "read TB/s"),
        _ceilings,
    ),
    "exactness": Section(
        "Logits, largest differences from the processor's in float32",
        ("tokens", "chunked", "own attention", "decoded short", "deviation"),
        _exactness,
    ),
    "feeding": Section(
        "Feeding, windows full (streams x tokens of each in a step)",
        ("tokens/s", "ms a step", "TFLOP/s", "of the peak"),
        _feeding,
    ),
    "decoding": Section(
        "Decoding, windows full, all streams of a line together",
        ("tokens/s", "ms a step", "GB a step", "of copying", "of reading"),
        _decoding,
    ),
    "recomputing": Section(
        f"A token of one stream against recomputing its window (aim {TIMES_RECOMPUTING} x at 4096)",
        ("ours ms", "recomputed ms", "ratio", "quartiles"),
        _recomputing,
    ),
}


def line(first: str, cells: Sequence[str]) -> str:
    return f"{first:<{FIRST_WIDTH}}" + "".join(f" {cell:>{WIDTH}}" for cell in cells)
