"""The peers come in: each gets the weights and is compared with us before it may take part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from engine.bench.peers.channel import Peer, open_peer
from engine.bench.peers.contestants import Contestant
from engine.bench.peers.effort import PeerEffort
from engine.bench.peers.environment import PeerUnavailable
from engine.bench.peers.outsiders import GUESTS, Guest, logits_of
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


class Guests:
    """Those who came, what they run, and the largest difference of their logits from ours."""

    def __init__(
        self, subject: Subject, effort: PeerEffort, num_threads: int, folder: Path
    ) -> None:
        """`subject` is the model they get, by way of `folder`, and are compared with."""
        self.contestants: list[Contestant] = []
        self.versions: dict[str, str] = {}
        self.differences: dict[str, float] = {}
        self.absent: Absent = {}
        self._subject = subject
        self._effort = effort
        self._num_threads = num_threads
        self._folder = folder

    def welcome(
        self, stack: ExitStack, pythons: Mapping[str, Path], precisions: Sequence[str]
    ) -> None:
        """All whose Python is there, in `precisions` and their own; they stay with `stack`."""
        with noting(self.absent, "every peer"):
            export(self._subject.stock.hf, self._folder)
            for guest in (guest for guest in GUESTS if guest.recipe in pythons):
                for precision in (*precisions, *guest.own_precisions):
                    with noting(self.absent, f"{guest.who} {precision}"):
                        self._admit(stack, guest, pythons[guest.recipe], precision)

    def _admit(self, stack: ExitStack, guest: Guest, python: Path, precision: str) -> None:
        name = f"{guest.who} {precision}"
        arguments = {
            **guest.arguments,
            "folder": str(self._folder),
            "precision": precision,
            "num_threads": self._num_threads,
        }
        opened = open_peer(name, python, guest.module, arguments, num_threads=self._num_threads)
        peer = stack.enter_context(opened)
        self.versions[name] = peer.ask("about")
        self.differences[name] = self._difference(peer, guest.num_discard)
        self.contestants.append(guest.join(peer, precision, self._subject, self._effort))

    def _difference(self, peer: Peer, num_discard: int) -> float:
        """Over a stream that is longer than the window, which must have moved in the same way."""
        token_ids = self._subject.tokens(NUM_COMPARED)
        window = replace(self._subject.engine.window, num_discard=num_discard)
        ours = LoneStream(self._subject.engine.model, window)
        expected = torch.cat([ours.feed(token_ids[i : i + 64]) for i in range(0, NUM_COMPARED, 64)])
        return float((logits_of(peer, token_ids, self._folder) - expected).abs().max())
