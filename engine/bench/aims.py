"""What the engine aims at, stated for one dtype, and whether it got there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.bench.feeding import STOCK_RECOMPUTE, STOCK_SINGLE

if TYPE_CHECKING:
    from engine.bench.feeding import Feeding
    from engine.bench.long_run import LongRun
    from engine.bench.same_model import Agreement

AIMED_DTYPE = "float32"
LARGEST_DIFFERENCE = 1e-4
TIMES_TOKEN_BY_TOKEN = 15.0
TIMES_RECOMPUTE = 150.0
LEVEL_WITHIN = 0.03
RESIDENT_WITHIN = 0.02


@dataclass(frozen=True)
class Aim:
    """`what` in words; `got` against `aim`."""

    what: str
    aim: float
    got: float
    met: bool


def aims_of(agreement: Agreement, feeding: Feeding, long_run: LongRun) -> dict[str, Aim]:
    times = feeding.time_against_ours
    return {
        "same_logits_as_stock": at_most(
            "largest difference of logits from stock attention, window not full",
            LARGEST_DIFFERENCE,
            agreement.max_difference_from_stock,
        ),
        "same_logits_in_chunks": at_most(
            "largest difference of logits, chunks against single tokens, past the window",
            LARGEST_DIFFERENCE,
            agreement.max_difference_of_chunks_from_singles,
        ),
        "feed_vs_token_by_token": at_least(
            "times as fast as stock transformers fed token by token",
            TIMES_TOKEN_BY_TOKEN,
            times[STOCK_SINGLE].median,
        ),
        "feed_vs_recompute": at_least(
            "times as fast as recomputing the window for each token",
            TIMES_RECOMPUTE,
            times[STOCK_RECOMPUTE].median,
        ),
        "level_speed": at_most(
            f"time per token, old ({long_run.age.num_fed:,} tokens really fed) off young",
            LEVEL_WITHIN,
            abs(long_run.time_old_against_young.median - 1),
        ),
        "level_memory": _level_memory(long_run),
    }


def _level_memory(long_run: LongRun) -> Aim:
    young, old = long_run.memory_young, long_run.memory_old
    growth = old.resident_bytes / young.resident_bytes - 1
    is_exact = young.kv_bytes == old.kv_bytes == long_run.kv_bytes_by_formula
    return Aim(
        "growth of resident memory, KV bytes equal to the formula throughout",
        RESIDENT_WITHIN,
        growth,
        is_exact and growth <= RESIDENT_WITHIN,
    )


def at_least(what: str, aim: float, got: float) -> Aim:
    return Aim(what, aim, got, got >= aim)


def at_most(what: str, aim: float, got: float) -> Aim:
    return Aim(what, aim, got, got <= aim)
