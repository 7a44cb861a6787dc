"""The peers come in: each gets the weights and is compared with us before it may take part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from engine.bench.peers.channel import Peer, open_peer
from engine.bench.peers.environment import PeerUnavailable
from engine.bench.peers.participants import Participant
from engine.bench.peers.peer_processes import PEERS, PeerKind, logits_of
from engine.bench.peers.run_size import PeerRunSize
from engine.bench.peers.weights import export
from engine.bench.subject import Subject
from engine.model.lone_stream import LoneStream

NUM_COMPARED = 640

# Whoever is absent, by name, and the reason.
Absent = dict[str, str]


@contextmanager
def noting(absent: Absent, name: str) -> Iterator[None]:
    """Whoever fails within this block is absent, for that reason."""
    try:
        yield
    except PeerUnavailable as reason:
        absent[name] = str(reason)


class AdmittedPeers:
    """Those who came, what they run, and the largest difference of their logits from ours."""

    def __init__(
        self, subject: Subject, run_size: PeerRunSize, num_threads: int, folder: Path
    ) -> None:
        """`subject` is the model they get, by way of `folder`, and are compared with."""
        self.participants: list[Participant] = []
        self.versions: dict[str, str] = {}
        self.differences: dict[str, float] = {}
        self.absent: Absent = {}
        self._subject = subject
        self._effort = run_size
        self._num_threads = num_threads
        self._folder = folder

    def admit(
        self, stack: ExitStack, pythons: Mapping[str, Path], precisions: Sequence[str]
    ) -> None:
        """All whose Python is there, in `precisions` and their own; they stay with `stack`."""
        with noting(self.absent, "every peer"):
            export(self._subject.stock.hf, self._folder)
            for kind in (kind for kind in PEERS if kind.recipe in pythons):
                for precision in (*precisions, *kind.own_precisions):
                    with noting(self.absent, f"{kind.who} {precision}"):
                        self._admit_one(stack, kind, pythons[kind.recipe], precision)

    def _admit_one(self, stack: ExitStack, kind: PeerKind, python: Path, precision: str) -> None:
        name = f"{kind.who} {precision}"
        arguments = {
            **kind.arguments,
            "folder": str(self._folder),
            "precision": precision,
            "num_threads": self._num_threads,
        }
        opened = open_peer(name, python, kind.module, arguments, num_threads=self._num_threads)
        peer = stack.enter_context(opened)
        self.versions[name] = peer.ask("about")
        self.differences[name] = self._difference(peer, kind.num_discard)
        self.participants.append(kind.join(peer, precision, self._subject, self._effort))

    def _difference(self, peer: Peer, num_discard: int) -> float:
        """Over a stream that is longer than the window, which must have moved in the same way."""
        token_ids = self._subject.tokens(NUM_COMPARED)
        window = replace(self._subject.engine.window, num_discard=num_discard)
        ours = LoneStream(self._subject.engine.model, window)
        expected = torch.cat([ours.feed(token_ids[i : i + 64]) for i in range(0, NUM_COMPARED, 64)])
        return float((logits_of(peer, token_ids, self._folder) - expected).abs().max())
