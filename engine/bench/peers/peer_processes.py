"""Those who take part from processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.bench.interleaved import Run, Work
from engine.bench.peers.channel import Peer
from engine.bench.peers.participants import (
    IN_CHUNKS,
    TOKEN_BY_TOKEN,
    WINDOW,
    Participant,
    StreamCosts,
)
from engine.bench.peers.run_size import PeerRunSize
from engine.bench.run_size import CHUNK, WINDOW_RECENT, WINDOW_SINKS
from engine.bench.subject import Subject

SINKS = "attention_sinks"
LLAMA_CPP = "llama.cpp"
# llama.cpp forgets half of what it does not keep, the others one token at a time.
HALF_WINDOW = WINDOW_RECENT // 2
# A context of one window forgets half of it at a time; one of two never sees less than we do.
CONTEXTS = (WINDOW, 2 * WINDOW)


Join = Callable[[Peer, str, Subject, PeerRunSize], Participant]


@dataclass(frozen=True)
class PeerKind:
    """A peer: the recipe of its environment, the module it runs there, and how it is asked.

    own_precisions  what it has beside the dtypes that we are measured in
    num_discard     tokens that it forgets at a time: with as many our logits must be the same
    """

    who: str
    recipe: str
    module: str
    arguments: Mapping[str, int]
    own_precisions: tuple[str, ...]
    num_discard: int
    join: Join


def attention_sinks(
    peer: Peer, precision: str, subject: Subject, run_size: PeerRunSize
) -> Participant:
    window = subject.tokens(WINDOW)
    peer.ask("prepare_feeding", token_ids=window)
    for num_streams in run_size.num_decoded:
        peer.ask("prepare_decoding", num_streams=num_streams, token_ids=window)
    few, many = run_size.singles_per_turn, run_size.chunks_per_turn * CHUNK
    feeding = {
        TOKEN_BY_TOKEN: _asking(peer, "feed", token_ids=subject.tokens(few), chunk=1),
        f"{IN_CHUNKS}, seeing up to {WINDOW + CHUNK}": _asking(
            peer, "feed", token_ids=subject.tokens(many), chunk=CHUNK
        ),
    }
    note = "no call to save one; streams in lockstep only"
    return Participant(
        SINKS,
        precision,
        feeding,
        _decoding(peer, subject, run_size),
        lambda: StreamCosts(int(peer.ask("stream_bytes")), None, None, note),
    )


def llama_cpp(peer: Peer, precision: str, subject: Subject, run_size: PeerRunSize) -> Participant:
    """Its streams decode between two shifts, where its context is filled as it is on average."""
    for size in CONTEXTS:
        peer.ask("prepare_feeding", size=size, token_ids=subject.tokens(size))
    for num_streams, num_tokens in run_size.num_decoded.items():
        past = subject.tokens(WINDOW * 3 // 4 - num_tokens // 2)
        peer.ask("prepare_decoding", num_streams=num_streams, token_ids=past)
    token_ids = subject.tokens(run_size.chunks_per_turn * CHUNK)
    feeding = {
        f"context of {size}, half of it forgotten at a time": _asking(
            peer, "feed", size=size, token_ids=token_ids
        )
        for size in CONTEXTS
    }
    return Participant(
        LLAMA_CPP,
        precision,
        feeding,
        _decoding(peer, subject, run_size),
        partial(_keep_llama_cpp, peer, subject.tokens(WINDOW), run_size.snapshots),
    )


def _keep_llama_cpp(peer: Peer, token_ids: Sequence[int], num_rounds: int) -> StreamCosts:
    kept = peer.ask("keep", token_ids=token_ids, num_rounds=num_rounds)
    note = "synced to disk, no checksum"
    return StreamCosts(kept["stream_bytes"], kept["save_seconds"], kept["restore_seconds"], note)


def _decoding(peer: Peer, subject: Subject, run_size: PeerRunSize) -> Mapping[int, Run]:
    return {
        num_streams: _asking(
            peer,
            "decode",
            num_streams=num_streams,
            first_ids=subject.tokens(num_streams),
            num_tokens=num_tokens,
        )
        for num_streams, num_tokens in run_size.num_decoded.items()
    }


def _asking(peer: Peer, do: str, **arguments: Any) -> Callable[[], AbstractContextManager[Work]]:
    @contextmanager
    def run() -> Iterator[Work]:
        yield lambda: int(peer.ask(do, **arguments))

    return run


def logits_of(peer: Peer, token_ids: Sequence[int], folder: Path) -> Tensor:
    """(T, vocab) float32 of what the peer answers to a stream of `token_ids`."""
    file = folder / "logits"
    peer.ask("logits", token_ids=list(token_ids), file=str(file))
    return torch.from_numpy(np.fromfile(file, dtype=np.float32)).view(len(token_ids), -1)


PEERS = (
    PeerKind(
        SINKS,
        "attention-sinks",
        "engine.bench.peers.attention_sinks_peer",
        {"num_sinks": WINDOW_SINKS, "num_recent": WINDOW_RECENT},
        (),
        1,
        attention_sinks,
    ),
    PeerKind(
        LLAMA_CPP,
        "llama-cpp",
        "engine.bench.peers.llama_cpp_peer",
        {"num_kept": WINDOW_SINKS, "size": WINDOW},
        ("q8_0",),
        HALF_WINDOW,
        llama_cpp,
    ),
)
