"""How fast text comes out: one stream alone, many together, and transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.interleaved import Advance, Run, Spread, Work, run_interleaved
from engine.bench.run_size import RunSize
from engine.bench.subject import Subject
from engine.engine import Engine
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session

TOGETHER = 16
STOCK_ALONE = "stock generate, 1 stream"
STOCK_TOGETHER = f"stock generate, {TOGETHER} equal streams in lockstep"


def ours(num_streams: int) -> str:
    return f"weir, {num_streams} stream{'s' if num_streams > 1 else ''}"


@dataclass(frozen=True)
class Decoding:
    """Tokens per second of all a participant's streams, and how many times those of one of ours."""

    tokens_per_second: Mapping[str, float]
    speed_against_one: Mapping[str, Spread]


def measure_decoding(subject: Subject, run_size: RunSize, advance: Advance) -> Decoding:
    with subject.session_of(2 * subject.engine.window.size) as session:
        runs = _runs(subject, session, run_size)
        measured = run_interleaved(runs, run_size.rounds, advance=advance)
    return Decoding(
        {name: measured.tokens_per_second(name) for name in runs},
        {name: measured.ratio(ours(1), name) for name in runs},
    )


def _runs(subject: Subject, session: Session, run_size: RunSize) -> dict[str, Run]:
    num_tokens = run_size.decoded_per_turn
    runs: dict[str, Run] = {
        ours(count): partial(forks_decoding, subject, session, count, num_tokens)
        for count in run_size.num_streams
    }
    # As many keys on average as the engine's window holds.
    past = torch.tensor([subject.tokens(subject.engine.window.size - num_tokens // 2)])
    runs[STOCK_ALONE] = partial(subject.stock.generating, past, num_tokens)
    runs[STOCK_TOGETHER] = partial(subject.stock.generating, past, num_tokens, TOGETHER)
    return runs


@contextmanager
def forks_decoding(
    subject: Subject, session: Session, num_streams: int, num_tokens: int
) -> Iterator[Work]:
    """Forks of `session`, each with a first token of its own, that decode in the same steps."""
    with ExitStack() as stack:
        forks = [stack.enter_context(subject.fork_of(session)) for _ in range(num_streams)]
        for fork, token in zip(forks, subject.tokens(num_streams), strict=True):
            subject.engine.generate(fork, [token], GenerateRequest(num_tokens))
        yield partial(_decode, subject.engine, forks)


def _decode(engine: Engine, forks: list[Session]) -> int:
    num_generated = 0
    while any(fork.is_generating for fork in forks):
        num_generated += engine.step().num_generated
    return num_generated
