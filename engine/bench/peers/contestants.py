"""What is asked of everyone who takes part, and the two who live in this process.

Everyone keeps a stream of one window or, where there is no such thing, works where about as many
keys have to be read. The others, in processes of their own, are in outsiders.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import torch

from engine.bench.decoding import forks_decoding
from engine.bench.effort import CHUNK, WINDOW_RECENT, WINDOW_SINKS
from engine.bench.feeding import session_feeding
from engine.bench.keeping import measure_keeping
from engine.bench.peers.effort import PeerEffort
from engine.bench.peers.environment import PeerUnavailable
from engine.bench.subject import Subject
from engine.bench.turns import Party
from engine.engine import Engine
from engine.errors import EngineError
from engine.schedule.window import HALF

WINDOW = WINDOW_SINKS + WINDOW_RECENT
WEIR = "weir"
STOCK = "stock transformers"
IN_CHUNKS = f"chunks of {CHUNK}"
TOKEN_BY_TOKEN = "token by token"  # noqa: S105


@dataclass(frozen=True)
class Kept:
    """One stream: its bytes, and the seconds to save and restore it; None = not possible."""

    stream_bytes: int | None
    save_seconds: float | None
    restore_seconds: float | None
    note: str


@dataclass(frozen=True)
class Contestant:
    """`feeding` by the way it is done, `decoding` by the number of streams together."""

    who: str
    precision: str
    feeding: Mapping[str, Party]
    decoding: Mapping[int, Party]
    keep: Callable[[], Kept]

    @property
    def name(self) -> str:
        return f"{self.who} {self.precision}"


def weir(stack: ExitStack, subject: Subject, effort: PeerEffort) -> Contestant:
    """Its sessions stay open as long as `stack`."""
    session = stack.enter_context(subject.session_of(2 * WINDOW))
    halves = _forgetting_by_half(subject)
    halved = stack.enter_context(halves.session_of(2 * WINDOW))
    many = effort.chunks_per_turn * CHUNK
    feeding = {
        IN_CHUNKS: partial(session_feeding, subject, session, many, CHUNK),
        f"{IN_CHUNKS}, half forgotten at a time": partial(
            session_feeding, halves, halved, many, CHUNK
        ),
        TOKEN_BY_TOKEN: partial(session_feeding, subject, session, effort.singles_per_turn, 1),
    }
    decoding = {
        num_streams: partial(forks_decoding, subject, session, num_streams, num_tokens)
        for num_streams, num_tokens in effort.num_decoded.items()
    }
    return Contestant(
        WEIR, subject.dtype, feeding, decoding, partial(_keep_weir, subject, effort.snapshots)
    )


def in_int8(dtype: str) -> str:
    """How a quantised subject of this dtype is called."""
    return f"int8 in {dtype}"


def quantised(subject: Subject) -> Subject:
    """The same model with products of int8. PeerUnavailable if they cannot be had here."""
    config = replace(subject.engine.config, weight_dtype="int8", compute_dtype="int8")
    try:
        return replace(subject, dtype=in_int8(subject.dtype), engine=Engine.load(config))
    except EngineError as error:
        raise PeerUnavailable(str(error)) from error


def _forgetting_by_half(subject: Subject) -> Subject:
    """The same model in an engine whose window moves as a context of llama.cpp does."""
    engine = subject.engine
    config = replace(engine.config, num_discard=HALF, num_rows=1)
    return replace(subject, engine=Engine(config, engine.model, engine.tokenizer))


def _keep_weir(subject: Subject, num_rounds: int) -> Kept:
    keeping = measure_keeping(subject, num_rounds, lambda _amount: None)
    note = "synced to disk, checksummed"
    return Kept(keeping.row_bytes, keeping.save_seconds, keeping.restore_seconds, note)


def stock(subject: Subject, effort: PeerEffort) -> Contestant:
    model, singles = subject.stock, effort.singles_per_turn
    ids = torch.tensor([subject.tokens(WINDOW)])
    fresh = torch.tensor([subject.tokens(singles)])
    feeding = {
        f"{TOKEN_BY_TOKEN}, dynamic cache": partial(
            model.feeding, ids[:, : WINDOW - singles // 2], fresh, 1
        ),
        "window recomputed for each token": partial(
            model.recomputing, ids, effort.windows_per_turn
        ),
    }
    decoding = {
        num_streams: partial(
            model.generating, ids[:, : WINDOW - num_tokens // 2], num_tokens, num_streams
        )
        for num_streams, num_tokens in effort.num_decoded.items()
    }
    per_token = subject.engine.model.bytes_per_token
    note = f"grows by {per_token:,} bytes a token; no call to save it; streams in lockstep only"
    return Contestant(STOCK, subject.dtype, feeding, decoding, lambda: Kept(None, None, None, note))
