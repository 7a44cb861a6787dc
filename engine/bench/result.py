"""What the benchmark finds out about one subject."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.decoding import Decoding
from engine.bench.feeding import Feeding
from engine.bench.long_run import LongRun
from engine.bench.same_model import Agreement
from engine.bench.snapshot_costs import SnapshotCosts


@dataclass(frozen=True)
class Result:
    """Everything that was measured of one subject."""

    num_parameters: int
    agreement: Agreement
    feeding: Feeding
    level: LongRun
    decoding: Decoding
    keeping: SnapshotCosts
