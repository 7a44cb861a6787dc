"""How much is measured beside the peers, so that both models take less than ten minutes."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PeerRunSize:
    """Rounds (each participant once), and the tokens of one run of one participant.

    num_decoded  for each number of streams together, the tokens of one of them
    """

    feeding_rounds: int
    decoding_rounds: int
    chunks_per_turn: int
    singles_per_turn: int
    windows_per_turn: int
    num_decoded: Mapping[int, int]
    snapshots: int


FULL = PeerRunSize(
    feeding_rounds=7,
    decoding_rounds=5,
    chunks_per_turn=4,
    singles_per_turn=64,
    windows_per_turn=4,
    num_decoded={1: 48, 4: 32, 16: 16, 64: 8},
    snapshots=9,
)

QUICK = PeerRunSize(
    feeding_rounds=3,
    decoding_rounds=3,
    chunks_per_turn=2,
    singles_per_turn=16,
    windows_per_turn=1,
    num_decoded={1: 16, 16: 8},
    snapshots=3,
)
