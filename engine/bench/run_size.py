"""How much is measured: in a run for the record, and in a quick one."""

from dataclasses import dataclass

# A million is what "endless" is taken to mean here.
OLD_TOKENS = 1_000_000
YOUNG_TOKENS = 1_000
WINDOW_SINKS = 4
WINDOW_RECENT = 252
CHUNK = 256
WINDOW_FACTS = {"num_sinks": WINDOW_SINKS, "num_recent": WINDOW_RECENT, "chunk": CHUNK}


@dataclass(frozen=True)
class RunSize:
    """Rounds (each participant once), and the tokens of one run of one participant.

    feed_seconds   longest time for really feeding OLD_TOKENS; where it would take longer,
                   `sample_tokens` are fed instead and the report says so
    """

    rounds: int
    level_rounds: int
    chunks_per_turn: int
    singles_per_turn: int
    windows_per_turn: int
    decoded_per_turn: int
    num_streams: tuple[int, ...]
    snapshots: int
    feed_seconds: float
    sample_tokens: int


FULL = RunSize(
    rounds=9,
    level_rounds=40,
    chunks_per_turn=4,
    singles_per_turn=64,
    windows_per_turn=4,
    decoded_per_turn=48,
    num_streams=(1, 4, 16, 32),
    snapshots=9,
    feed_seconds=180.0,
    sample_tokens=20_000,
)

QUICK = RunSize(
    rounds=3,
    level_rounds=6,
    chunks_per_turn=2,
    singles_per_turn=16,
    windows_per_turn=1,
    decoded_per_turn=16,
    num_streams=(1, 16),
    snapshots=3,
    feed_seconds=2.0,
    sample_tokens=4_000,
)
