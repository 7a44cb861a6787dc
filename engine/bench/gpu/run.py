"""The whole benchmark of a card: what it can do, whether we are right on it, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import transformers

from engine.bench.gpu.aims import aims_of
from engine.bench.gpu.card import Card, card_of, free_bytes, open_device
from engine.bench.gpu.ceilings import Ceilings, measure_ceilings
from engine.bench.gpu.decoding import measure_decoding
from engine.bench.gpu.exactness import measure_exactness
from engine.bench.gpu.feeding import measure_feeding
from engine.bench.gpu.ledger import Ledger
from engine.bench.gpu.recomputing import measure_recomputing
from engine.bench.gpu.run_size import GpuRunSize
from engine.bench.gpu.shapes import (
    FEW_LAYERS_OF_QWEN,
    LLAMA_2_7B,
    LLAMA_3_8B,
    QWEN_3_600M,
    SMALL_LLAMA,
    Shape,
)
from engine.bench.gpu.subject import Subject, open_subject, paths_in_use
from engine.bench.machine import this_machine
from engine.bench.progress import stage
from engine.bench.report import Report
from engine.errors import EngineError
from engine.schedule.window import Window

TIMED = (QWEN_3_600M, LLAMA_3_8B)
OF_THE_PAPER = LLAMA_2_7B
ROWS, SMALLER_ROWS = "bfloat16", "int8"


def run_gpu(
    *,
    device_name: str,
    run_size: GpuRunSize,
    num_threads: int,
    json_path: Path | None,
    room: Callable[[torch.device], int] = free_bytes,
) -> None:
    """ConfigError if there is no such device; EngineError, after everything, if a case failed."""
    started = time.perf_counter()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = open_device(device_name)
    with stage("what the card does at best", 1):
        ceilings = measure_ceilings(device, run_size)
    card = card_of(device)  # just after hard work: its clocks are those of work
    ledger = Ledger(
        this_machine(num_threads),
        {"card": card, "effort": run_size},
        started=started,
        last_start_seconds=run_size.last_start_seconds,
        json_path=json_path,
    )
    _print_card(card, run_size)
    ledger.add("ceilings", "", ceilings)
    _Cases(ledger, device, run_size, ceilings, room).measure()
    title = "Aims, in a rehearsal" if run_size.is_rehearsal else "Aims on this card"
    Report().print_aims(aims_of(ledger.results), title=title)
    print(ledger.summary(), flush=True)
    if ledger.failed:
        raise EngineError(f"{len(ledger.failed)} cases failed: {', '.join(ledger.failed)}")


@dataclass(frozen=True)
class _Cases:
    """Everything that is measured once the ceilings are known."""

    ledger: Ledger
    device: torch.device
    run_size: GpuRunSize
    ceilings: Ceilings
    room: Callable[[torch.device], int]

    def measure(self) -> None:
        self._check(SMALL_LLAMA, torch.float32, self.run_size.exact_window)
        self._check(FEW_LAYERS_OF_QWEN, torch.bfloat16, self.run_size.window)
        for shape in map(self._of_this_size, TIMED):
            self.ledger.attempt(f"model: {shape.name}", partial(self._time, shape))
        shape = self._of_this_size(OF_THE_PAPER)
        self.ledger.attempt(f"model: {shape.name}", partial(self._recompute, shape))

    def _check(self, shape: Shape, dtype: torch.dtype, window: Window) -> None:
        shape = self._of_this_size(shape)
        work = partial(measure_exactness, shape, dtype, window, self.device)
        self.ledger.measure("exactness", f"{shape.name}, {_word(dtype)}", work)

    def _time(self, shape: Shape) -> None:
        """What does not fit with rows as they are computed is tried again with smaller ones."""
        crowded = self._feed_and_decode(shape)
        if crowded:
            again = partial(self._decode_in_smaller_rows, shape, crowded)
            self.ledger.attempt(f"model: {shape.name}, rows in {SMALLER_ROWS}", again)

    def _feed_and_decode(self, shape: Shape) -> list[int]:
        """Numbers of streams that could not decode together."""
        with open_subject(shape, ROWS, self.device) as subject:
            self._introduce(subject)
            for num_streams, chunk in self.run_size.feeding:
                name = f"{subject.name}, {num_streams} x {chunk}"
                work = partial(
                    measure_feeding, subject, num_streams, chunk, self.run_size, self.ceilings
                )
                self.ledger.measure("feeding", name, work)
            return self._decode(subject, self.run_size.decoding)

    def _decode_in_smaller_rows(self, shape: Shape, numbers: Sequence[int]) -> None:
        with open_subject(shape, SMALLER_ROWS, self.device) as subject:
            self._introduce(subject)
            self._decode(subject, numbers)

    def _decode(self, subject: Subject, numbers: Sequence[int]) -> list[int]:
        """Those of `numbers` that could not be measured."""
        missing = []
        for number in numbers:
            name = f"{subject.name}, {number}, {subject.rows}"
            work = partial(
                measure_decoding, subject, number, self.run_size, self.ceilings, self.room
            )
            if not self.ledger.measure("decoding", name, work):
                missing.append(number)
        return missing

    def _recompute(self, shape: Shape) -> None:
        with open_subject(shape, ROWS, self.device) as subject:
            self._introduce(subject)
            for window in self.run_size.recomputing:
                work = partial(measure_recomputing, subject, window, self.run_size)
                self.ledger.measure("recomputing", f"{subject.name}, {window}", work)

    def _introduce(self, subject: Subject) -> None:
        paths = paths_in_use(subject.model)
        self.ledger.note_paths(f"{subject.name}, rows in {subject.rows}", paths)

    def _of_this_size(self, shape: Shape) -> Shape:
        return shape.rehearsed if self.run_size.is_rehearsal else shape


def _print_card(card: Card, run_size: GpuRunSize) -> None:
    states = ", ".join(f"{name} {value}" for name, value in card.states.items())
    print(
        f"{card.name}, {card.memory_bytes / 1e9:.1f} GB, torch {torch.__version__}, "
        f"CUDA {card.cuda}, transformers {transformers.__version__}. {states}\n"
        f"Window {run_size.window.num_sinks} + {run_size.window.num_recent} tokens, "
        "random weights.",
        flush=True,
    )


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
