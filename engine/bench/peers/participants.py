"""What is asked of everyone who takes part, and the two who live in this process.

Everyone keeps a stream of one window or, where there is no such thing, works where about as many
keys have to be read. The others, in processes of their own, are in peer_processes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import torch

from engine.bench.decoding import forks_decoding
from engine.bench.feeding import session_feeding
from engine.bench.interleaved import Run
from engine.bench.peers.environment import PeerUnavailable
from engine.bench.peers.run_size import PeerRunSize
from engine.bench.run_size import CHUNK, WINDOW_RECENT, WINDOW_SINKS
from engine.bench.snapshot_costs import measure_snapshots
from engine.bench.subject import Subject
from engine.engine import Engine
from engine.errors import EngineError
from engine.schedule.window import HALF

WINDOW = WINDOW_SINKS + WINDOW_RECENT
WEIR = "weir"
STOCK = "stock transformers"
IN_CHUNKS = f"chunks of {CHUNK}"
TOKEN_BY_TOKEN = "token by token"  # noqa: S105


@dataclass(frozen=True)
class StreamCosts:
    """One stream: its bytes, and the seconds to save and restore it; None = not possible."""

    stream_bytes: int | None
    save_seconds: float | None
    restore_seconds: float | None
    note: str


@dataclass(frozen=True)
class Participant:
    """`feeding` by the way it is done, `decoding` by the number of streams together."""

    who: str
    precision: str
    feeding: Mapping[str, Run]
    decoding: Mapping[int, Run]
    keep: Callable[[], StreamCosts]

    @property
    def name(self) -> str:
        return f"{self.who} {self.precision}"


def weir(stack: ExitStack, subject: Subject, run_size: PeerRunSize) -> Participant:
    """Its sessions stay open as long as `stack`."""
    session = stack.enter_context(subject.session_of(2 * WINDOW))
    halves = _forgetting_by_half(subject)
    halved = stack.enter_context(halves.session_of(2 * WINDOW))
    many = run_size.chunks_per_turn * CHUNK
    feeding = {
        IN_CHUNKS: partial(session_feeding, subject, session, many, CHUNK),
        f"{IN_CHUNKS}, half forgotten at a time": partial(
            session_feeding, halves, halved, many, CHUNK
        ),
        TOKEN_BY_TOKEN: partial(session_feeding, subject, session, run_size.singles_per_turn, 1),
    }
    decoding = {
        num_streams: partial(forks_decoding, subject, session, num_streams, num_tokens)
        for num_streams, num_tokens in run_size.num_decoded.items()
    }
    return Participant(
        WEIR, subject.dtype, feeding, decoding, partial(_keep_weir, subject, run_size.snapshots)
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


def _keep_weir(subject: Subject, num_rounds: int) -> StreamCosts:
    costs = measure_snapshots(subject, num_rounds, lambda _amount: None)
    note = "synced to disk, checksummed"
    return StreamCosts(costs.row_bytes, costs.save_seconds, costs.restore_seconds, note)


def stock(subject: Subject, run_size: PeerRunSize) -> Participant:
    model, singles = subject.stock, run_size.singles_per_turn
    ids = torch.tensor([subject.tokens(WINDOW)])
    fresh = torch.tensor([subject.tokens(singles)])
    feeding = {
        f"{TOKEN_BY_TOKEN}, dynamic cache": partial(
            model.feeding, ids[:, : WINDOW - singles // 2], fresh, 1
        ),
        "window recomputed for each token": partial(
            model.recomputing, ids, run_size.windows_per_turn
        ),
    }
    decoding = {
        num_streams: partial(
            model.generating, ids[:, : WINDOW - num_tokens // 2], num_tokens, num_streams
        )
        for num_streams, num_tokens in run_size.num_decoded.items()
    }
    per_token = subject.engine.model.bytes_per_token
    note = f"grows by {per_token:,} bytes a token; no call to save it; streams in lockstep only"
    return Participant(
        STOCK, subject.dtype, feeding, decoding, lambda: StreamCosts(None, None, None, note)
    )
