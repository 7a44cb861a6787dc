"""What the comparison finds out about one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.bench.peers.admission import Absent
from engine.bench.peers.measure import Decoded, Fed
from engine.bench.peers.participants import StreamCosts


@dataclass(frozen=True)
class Result:
    """Everything that was measured of one model; `absent` may have measured some of it."""

    num_parameters: int
    versions: Mapping[str, str]
    differences: Mapping[str, float]
    feeding: Sequence[Fed]
    decoding: Sequence[Decoded]
    keeping: Mapping[str, StreamCosts]
    absent: Absent
