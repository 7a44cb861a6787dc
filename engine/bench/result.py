"""What the benchmark finds out about one subject."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.agreement import Agreement
from engine.bench.decoding import Decoding
from engine.bench.feeding import Feeding
from engine.bench.keeping import Keeping
from engine.bench.level import Level


@dataclass(frozen=True)
class Result:
    """Everything that was measured of one subject."""

    num_parameters: int
    agreement: Agreement
    feeding: Feeding
    level: Level
    decoding: Decoding
    keeping: Keeping
