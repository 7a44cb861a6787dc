"""How fast streams decode together, as a share of what the card's memory gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.gpu.card import free_bytes, free_memory
from engine.bench.gpu.ceilings import Ceilings
from engine.bench.gpu.clock import median_seconds
from engine.bench.gpu.run_size import GpuRunSize
from engine.bench.gpu.subject import Subject
from engine.engine import Engine
from engine.errors import EngineError
from engine.schedule.generation import GenerateRequest

WARM_UPS = 4
# Of the free memory; the rest is for what a step makes on its way.
SHARE_FOR_ROWS = 0.9


class NoRoom(Exception):
    """Something does not fit in the device's memory; the message says how much it would take."""


@dataclass(frozen=True)
class Decoded:
    """`num_streams` streams with full windows, a token each in every step.

    bytes_per_step      what a step must read (costs.py): weights, and all keys and values
    share_of_bandwidth  those bytes, a second, of the bytes a second of a copy on the card
    share_of_reading    the same, of a matrix times a vector
    """

    model: str
    rows: str
    num_streams: int
    step_seconds: float
    tokens_per_second: float
    bytes_per_step: int
    share_of_bandwidth: float
    share_of_reading: float


def measure_decoding(
    subject: Subject,
    num_streams: int,
    run_size: GpuRunSize,
    ceilings: Ceilings,
    room: Callable[[torch.device], int] = free_bytes,
) -> Decoded:
    """NoRoom if so many rows do not fit."""
    free_memory()
    row_bytes = run_size.window.size * subject.model.bytes_per_token
    _require_room(num_streams * row_bytes, room(subject.model.device))
    engine = _engine(subject, num_streams, run_size)
    sessions = subject.full_streams(engine, num_streams)
    num_tokens = WARM_UPS + run_size.repeats * run_size.steps
    for session, token in zip(sessions, subject.tokens(num_streams), strict=True):
        engine.generate(session, [token], GenerateRequest(num_tokens))
    decode(engine, WARM_UPS)
    seconds = median_seconds(
        partial(decode, engine, run_size.steps),
        subject.model.device,
        repeats=run_size.repeats,
        most_seconds=run_size.case_seconds,
    )
    step_seconds = seconds / run_size.steps
    num_bytes = subject.costs.bytes_per_step(num_streams, row_bytes)
    bytes_per_second = num_bytes / step_seconds
    return Decoded(
        subject.name,
        subject.rows,
        num_streams,
        step_seconds,
        num_streams / step_seconds,
        num_bytes,
        bytes_per_second / ceilings.copied_bytes,
        bytes_per_second / ceilings.read_bytes,
    )


def decode(engine: Engine, num_steps: int) -> int:
    """Every session that generates decodes `num_steps` tokens; how many these were together."""
    return sum(engine.step().num_generated for _ in range(num_steps))


def _require_room(num_bytes: int, num_free: int) -> None:
    if num_bytes > SHARE_FOR_ROWS * num_free:
        raise NoRoom(f"rows of {num_bytes / 1e9:,.1f} GB, and {num_free / 1e9:,.1f} GB are free")


def _engine(subject: Subject, num_streams: int, run_size: GpuRunSize) -> Engine:
    try:
        return subject.engine_for_decoding(run_size.window, num_streams)
    except EngineError as error:  # its settings are right, so it is the memory
        raise NoRoom(str(error)) from error
