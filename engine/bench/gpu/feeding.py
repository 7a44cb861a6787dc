"""How fast text goes in when every window is full, as a share of what the card multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from engine.bench.gpu.ceilings import Ceilings
from engine.bench.gpu.clock import median_seconds
from engine.bench.gpu.run_size import GpuRunSize
from engine.bench.gpu.subject import Subject
from engine.engine import Engine
from engine.schedule.session import Session

WARM_UPS = 3


@dataclass(frozen=True)
class Fed:
    """`num_streams` streams bring `chunk` tokens each to every step; no logits are computed.

    share_of_peak  FLOPs that the model needs for these tokens (costs.py), a second, of those of the
                   best matrix product
    """

    model: str
    rows: str
    num_streams: int
    chunk: int
    step_seconds: float
    tokens_per_second: float
    flops_per_token: int
    share_of_peak: float


def measure_feeding(
    subject: Subject, num_streams: int, chunk: int, run_size: GpuRunSize, ceilings: Ceilings
) -> Fed:
    engine = subject.engine(
        run_size.window,
        num_rows=num_streams,
        max_chunk=chunk,
        max_step_tokens=num_streams * chunk,
    )
    sessions = [engine.open() for _ in range(num_streams)]
    tokens = subject.tokens(chunk)
    num_to_fill = -(-run_size.window.size // chunk)
    _feed(engine, sessions, tokens, num_to_fill + WARM_UPS)
    seconds = median_seconds(
        partial(_feed, engine, sessions, tokens, run_size.steps),
        subject.model.device,
        repeats=run_size.repeats,
        most_seconds=run_size.case_seconds,
    )
    step_seconds = seconds / run_size.steps
    tokens_per_second = num_streams * chunk / step_seconds
    flops = subject.costs.flops_per_fed_token(run_size.window.size)
    share = tokens_per_second * flops / ceilings.matrix_flops
    return Fed(
        subject.name,
        subject.rows,
        num_streams,
        chunk,
        step_seconds,
        tokens_per_second,
        flops,
        share,
    )


def _feed(
    engine: Engine, sessions: Sequence[Session], tokens: Sequence[int], num_steps: int
) -> None:
    """As text arrives: the tokens of a step, then the step."""
    for _ in range(num_steps):
        for session in sessions:
            engine.feed(session, tokens)
        engine.step()
