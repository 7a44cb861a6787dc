"""What the card can do at best, measured in the same run: every share is a share of this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.gpu.clock import median_seconds
from engine.bench.gpu.run_size import GpuRunSize

DTYPE = torch.bfloat16
# Of one repeat: enough for a card to reach the clock that it can hold.
CALLS = 10
REPEATS = 10
WARM_UPS = 3


@dataclass(frozen=True)
class Ceilings:
    """In bfloat16, on random data.

    matrix_flops  operations a second of a product of two square matrices, a multiplication and an
                  addition counted as two
    copied_bytes  bytes a second of a copy on the card, those read and those written
    read_bytes    bytes a second of a matrix that is multiplied with one vector: reading alone
    """

    matrix_flops: float
    copied_bytes: float
    read_bytes: float


def measure_ceilings(device: torch.device, run_size: GpuRunSize) -> Ceilings:
    return Ceilings(
        _matrix_flops(run_size.matrix_side, device, run_size),
        _copied_bytes(run_size.buffer_bytes, device, run_size),
        _read_bytes(run_size.buffer_bytes, device, run_size),
    )


def _matrix_flops(side: int, device: torch.device, run_size: GpuRunSize) -> float:
    one, other = (torch.randn(side, side, device=device, dtype=DTYPE) for _ in range(2))
    product = torch.empty_like(one)
    seconds = _seconds(partial(torch.mm, one, other, out=product), device, run_size)
    return 2 * side**3 / seconds


def _copied_bytes(num_bytes: int, device: torch.device, run_size: GpuRunSize) -> float:
    source = torch.randint(127, (num_bytes // 2,), device=device, dtype=torch.int8)
    target = torch.empty_like(source)
    seconds = _seconds(partial(target.copy_, source), device, run_size)
    return 2 * source.nbytes / seconds


def _read_bytes(num_bytes: int, device: torch.device, run_size: GpuRunSize) -> float:
    """A matrix as large as what is copied, its rows as long as those of a large model's weights."""
    width = run_size.matrix_side
    num_rows = num_bytes // 2 // DTYPE.itemsize // width
    matrix = torch.randn(num_rows, width, device=device, dtype=DTYPE)
    vector = torch.randn(width, device=device, dtype=DTYPE)
    answer = torch.empty(len(matrix), device=device, dtype=DTYPE)
    seconds = _seconds(partial(torch.mv, matrix, vector, out=answer), device, run_size)
    return matrix.nbytes / seconds


def _seconds(call: Callable[[], object], device: torch.device, run_size: GpuRunSize) -> float:
    def calls() -> None:
        for _ in range(CALLS):
            call()

    for _ in range(WARM_UPS):
        calls()
    most = run_size.case_seconds
    return median_seconds(calls, device, repeats=REPEATS, most_seconds=most) / CALLS
