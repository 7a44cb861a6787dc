"""How fast text goes in: the engine, token by token, by recomputing, and without any window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from engine.bench.interleaved import Advance, Run, Spread, Work, run_interleaved
from engine.bench.run_size import CHUNK, RunSize
from engine.bench.subject import Subject, feed
from engine.schedule.session import Session

OURS = f"weir, chunks of {CHUNK}"
OURS_SINGLE = "weir, token by token"
STOCK_SINGLE = "stock, token by token, dynamic cache"
STOCK_RECOMPUTE = "stock, window recomputed for each token"
STOCK_DENSE = f"stock, chunks of {CHUNK}, no window (another computation)"


@dataclass(frozen=True)
class Feeding:
    """Tokens per second of each participant, and how many times the first one's time each takes."""

    tokens_per_second: Mapping[str, float]
    time_against_ours: Mapping[str, Spread]


def measure_feeding(subject: Subject, run_size: RunSize, advance: Advance) -> Feeding:
    with subject.session_of(2 * subject.engine.window.size) as session:
        runs = _runs(subject, session, run_size)
        measured = run_interleaved(runs, run_size.rounds, advance=advance)
    return Feeding(
        {name: measured.tokens_per_second(name) for name in runs},
        {name: measured.ratio(name, OURS) for name in runs},
    )


def _runs(subject: Subject, session: Session, run_size: RunSize) -> dict[str, Run]:
    window = subject.engine.window.size
    many, few = run_size.chunks_per_turn * CHUNK, run_size.singles_per_turn
    ids = torch.tensor([subject.tokens(2 * window)])
    # The cache grows past the window by as much as it starts short of it: a window on average.
    nearly_full = ids[:, : window - few // 2]
    stock = subject.stock
    return {
        OURS: partial(session_feeding, subject, session, many, CHUNK),
        OURS_SINGLE: partial(session_feeding, subject, session, few, 1),
        STOCK_SINGLE: partial(stock.feeding, nearly_full, ids[:, :few], 1),
        STOCK_RECOMPUTE: partial(stock.recomputing, ids[:, :window], run_size.windows_per_turn),
        STOCK_DENSE: partial(stock.feeding, ids[:, :window], ids[:, :CHUNK], CHUNK),
    }


@contextmanager
def session_feeding(
    subject: Subject, session: Session, num_tokens: int, chunk: int
) -> Iterator[Work]:
    token_ids = subject.tokens(num_tokens)
    yield lambda: feed(subject.engine, session, token_ids, chunk)
