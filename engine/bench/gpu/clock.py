"""How long something takes on a device that works on after Python has gone on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """From the call until all that it started on the device is done."""
    if device.type != "cuda":
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
    event: Any = torch.cuda.Event
    begin, end = event(enable_timing=True), event(enable_timing=True)
    torch.cuda.synchronize(device)
    begin.record()
    work()
    end.record()
    torch.cuda.synchronize(device)
    return float(begin.elapsed_time(end)) / 1e3


def median_seconds(
    work: Callable[[], object],
    device: torch.device,
    *,
    repeats: int,
    most_seconds: float,
    seconds_of: Callable[[Callable[[], object], torch.device], float] = seconds_of,
) -> float:
    """Of up to `repeats` times; one that is so slow is not begun again after `most_seconds`."""
    times: list[float] = []
    while len(times) < repeats and sum(times) < most_seconds:
        times.append(seconds_of(work, device))
    return statistics.median(times)


def settled_time(device: torch.device) -> float:
    """As time.perf_counter, but only when the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
