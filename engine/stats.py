"""What a step did, and what memory holds: the numbers that metrics show."""

from dataclasses import dataclass

from engine.session import Session


@dataclass(frozen=True)
class StepReport:
    """One step: tokens computed, sessions that took part, tokens sampled, tokens that slid out."""

    num_tokens: int = 0
    num_sessions: int = 0
    num_generated: int = 0
    seconds: float = 0.0
    finished: tuple[Session, ...] = ()
    num_slid_out: int = 0


@dataclass(frozen=True)
class MemoryReport:
    """Exact bytes of the KV store; it is allocated once and never grows."""

    bytes_per_row: int
    kv_bytes_total: int
    rows_in_use: int
    rows_free: int
