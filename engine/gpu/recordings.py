"""Decoding steps that are recorded once and played back.

A step of single tokens is hundreds of kernels of some microseconds each: to start them one by one
from Python takes longer than they run. They are the same kernels every time, over other numbers in
the same places, so a CUDA graph starts them all at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.gpu.layout import Layout

logger = logging.getLogger(__name__)

Play = Callable[[], None]
# Notes down what a function does, without doing it; gives what does it, and where its result will
# be after each time.
Record = Callable[[Callable[[], Tensor]], tuple[Play, Tensor]]


@dataclass(frozen=True)
class Recording:
    """What `play` reads and writes: `layout`, (n, vocab) logits."""

    layout: Layout
    play: Play
    logits: Tensor


class Recordings:
    """Of the decoding steps over one store: a recording for 1, 2, 4, 8, ... sessions and one for as
    many as there are rows. Fewer are filled up with such as are read and kept nowhere."""

    def __init__(
        self,
        compute: Callable[[Layout], Tensor],
        record: Record,
        num_rows: int,
        device: torch.device,
    ) -> None:
        """`compute`: logits of all tokens of a layout on `device`."""
        self._compute = compute
        self._record = record
        self._num_rows = num_rows
        self._device = device
        self._recordings: dict[int, Recording | None] = {}
        self._can_record = True

    def play(self, layout: Layout) -> Tensor:
        """(n, vocab) logits of a layout on the CPU that is decoding; others may be behind them. The
        next call overwrites them."""
        layout = layout.filled_up_to(self._size_for(layout.num_segments))
        recording = self._recording_for(layout)
        if recording is None:
            return self._compute(layout.to(self._device))
        recording.layout.numbers.copy_(layout.numbers)
        recording.play()
        return recording.logits

    def _size_for(self, num_sessions: int) -> int:
        return min(1 << (num_sessions - 1).bit_length(), self._num_rows)

    def _recording_for(self, layout: Layout) -> Recording | None:
        """None the first time, which is computed as it is: kernels are compiled and libraries make
        room for themselves, which cannot be recorded."""
        size = layout.num_segments
        if size not in self._recordings:
            self._recordings[size] = None
        elif self._recordings[size] is None and self._can_record:
            self._recordings[size] = self._recorded(layout.to(self._device))
        return self._recordings[size]

    def _recorded(self, layout: Layout) -> Recording | None:
        try:
            play, logits = self._record(lambda: self._compute(layout))
        except RuntimeError as error:
            # Mixtures of experts that ask the CPU where to go, for example.
            self._can_record = False
            logger.warning("Decoding steps of this model cannot be recorded: %s", error)
            return None
        return Recording(layout, play, logits)


def graphs(device: torch.device) -> Record:
    """Records as CUDA graphs that share memory for what they hold in between: one plays at a time,
    and what comes out is read before the next."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Callable[[], Tensor]) -> tuple[Play, Tensor]:
        graph = torch.cuda.CUDAGraph()
        # Other threads may talk to the GPU meanwhile.
        with (
            torch.cuda.device(device),
            torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"),
        ):
            logits = run()
        play: Any = graph.replay
        return play, logits

    return record
