"""How fast text goes in: the engine, token by token, by recomputing, and without any window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.effort import CHUNK, Effort
from engine.bench.subject import Subject, feed
from engine.bench.turns import Advance, Party, Spread, Work, take_turns
from engine.schedule.session import Session

OURS = f"weir, chunks of {CHUNK}"
OURS_SINGLE = "weir, token by token"
STOCK_SINGLE = "stock, token by token, dynamic cache"
STOCK_RECOMPUTE = "stock, window recomputed for each token"
STOCK_DENSE = f"stock, chunks of {CHUNK}, no window (another computation)"


@dataclass(frozen=True)
class Feeding:
    """Tokens per second of each party, and how many times the first one's time each takes."""

    tokens_per_second: Mapping[str, float]
    time_against_ours: Mapping[str, Spread]


def measure_feeding(subject: Subject, effort: Effort, advance: Advance) -> Feeding:
    with subject.session_of(2 * subject.engine.window.size) as session:
        parties = _parties(subject, session, effort)
        turns = take_turns(parties, effort.rounds, advance=advance)
    return Feeding(
        {name: turns.tokens_per_second(name) for name in parties},
        {name: turns.ratio(name, OURS) for name in parties},
    )


def _parties(subject: Subject, session: Session, effort: Effort) -> dict[str, Party]:
    window = subject.engine.window.size
    many, few = effort.chunks_per_turn * CHUNK, effort.singles_per_turn
    ids = torch.tensor([subject.tokens(2 * window)])
    # The cache grows past the window by as much as it starts short of it: a window on average.
    nearly_full = ids[:, : window - few // 2]
    stock = subject.stock
    return {
        OURS: partial(session_feeding, subject, session, many, CHUNK),
        OURS_SINGLE: partial(session_feeding, subject, session, few, 1),
        STOCK_SINGLE: partial(stock.feeding, nearly_full, ids[:, :few], 1),
        STOCK_RECOMPUTE: partial(stock.recomputing, ids[:, :window], effort.windows_per_turn),
        STOCK_DENSE: partial(stock.feeding, ids[:, :window], ids[:, :CHUNK], CHUNK),
    }


@contextmanager
def session_feeding(
    subject: Subject, session: Session, num_tokens: int, chunk: int
) -> Iterator[Work]:
    token_ids = subject.tokens(num_tokens)
    yield lambda: feed(subject.engine, session, token_ids, chunk)
