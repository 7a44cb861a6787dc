"""How much is measured on a card: for the record, in a hurry, and in a rehearsal without one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.schedule.window import Window


@dataclass(frozen=True)
class GpuRunSize:
    """What is measured, and how long.

    last_start_seconds  no case begins later than this after the start
    case_seconds        no figure is repeated any more when it has taken this long
    repeats, steps      a figure is the median of so many repeats of so many steps
    rounds              of the runs of those who are compared
    exact_window        of the check in float32: with many more positions, the rounding of their
                        angles alone is as large as what it looks for
    feeding             (streams in one step, tokens of each)
    decoding            streams that decode together
    recomputing         windows in which every token's window is recomputed
    matrix_side         of the matrices whose product is the card's peak
    buffer_bytes        of both sides of the copy that finds its bandwidth
    """

    is_rehearsal: bool
    last_start_seconds: float
    case_seconds: float
    repeats: int
    steps: int
    rounds: int
    window: Window
    exact_window: Window
    feeding: tuple[tuple[int, int], ...]
    decoding: tuple[int, ...]
    recomputing: tuple[int, ...]
    matrix_side: int
    buffer_bytes: int


FULL = GpuRunSize(
    is_rehearsal=False,
    last_start_seconds=450.0,
    case_seconds=10.0,
    repeats=5,
    steps=5,
    rounds=7,
    window=Window(4, 2044),
    exact_window=Window(4, 508),
    feeding=((1, 256), (1, 1024), (1, 2048), (8, 256), (4, 1024)),
    decoding=(1, 16, 128, 512),
    recomputing=(256, 1024, 4096),
    matrix_side=8192,
    buffer_bytes=2**32,
)

QUICK = replace(
    FULL,
    last_start_seconds=75.0,
    case_seconds=3.0,
    repeats=3,
    steps=4,
    rounds=3,
    feeding=((1, 256), (1, 2048), (8, 256)),
    recomputing=(4096,),
)

REHEARSAL = replace(
    QUICK,
    is_rehearsal=True,
    case_seconds=1.0,
    repeats=2,
    steps=2,
    rounds=2,
    window=Window(4, 44),
    exact_window=Window(4, 44),
    feeding=((1, 16), (1, 48), (3, 16)),
    decoding=(1, 5),
    recomputing=(16, 48),
    matrix_side=64,
    buffer_bytes=2**16,
)
