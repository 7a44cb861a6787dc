"""How fast text comes out: one stream alone, many together, and transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.effort import Effort
from engine.bench.subject import Subject
from engine.bench.turns import Advance, Party, Spread, Work, take_turns
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
    """Tokens per second of all streams of a party, and how many times those of one of ours."""

    tokens_per_second: Mapping[str, float]
    speed_against_one: Mapping[str, Spread]


def measure_decoding(subject: Subject, effort: Effort, advance: Advance) -> Decoding:
    with subject.session_of(2 * subject.engine.window.size) as session:
        parties = _parties(subject, session, effort)
        turns = take_turns(parties, effort.rounds, advance=advance)
    return Decoding(
        {name: turns.tokens_per_second(name) for name in parties},
        {name: turns.ratio(ours(1), name) for name in parties},
    )


def _parties(subject: Subject, session: Session, effort: Effort) -> dict[str, Party]:
    num_tokens = effort.decoded_per_turn
    parties: dict[str, Party] = {
        ours(count): partial(forks_decoding, subject, session, count, num_tokens)
        for count in effort.num_streams
    }
    # As many keys on average as the engine's window holds.
    past = torch.tensor([subject.tokens(subject.engine.window.size - num_tokens // 2)])
    parties[STOCK_ALONE] = partial(subject.stock.generating, past, num_tokens)
    parties[STOCK_TOGETHER] = partial(subject.stock.generating, past, num_tokens, TOGETHER)
    return parties


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
