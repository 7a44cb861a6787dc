"""When a rolling summary is due, and how far a stream may be fed before one.

Coverage guarantee: a token may leave the window only after a summary has covered it. A summary
reads a copy of the window to which its prompt and its answer are added, so the uncovered tokens,
the prompt and the answer must fit the recent part together. Positions count tokens from the start
of the stream; `covered` is the position up to which summaries reach.

Pure: no clock of its own, no torch, no Redis.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cadence:
    """num_recent: tokens of the window that roll; num_reserved: room for one prompt and answer."""

    num_recent: int
    num_reserved: int
    num_tokens: int
    num_seconds: float

    def __post_init__(self) -> None:
        if self.max_uncovered < 1:
            raise ValueError(
                f"a window of {self.num_recent} recent tokens has no room beside the "
                f"{self.num_reserved} that a summary's prompt and answer need: raise "
                f"WEIR_NUM_RECENT to more than {self.num_reserved} or lower "
                f"WEIR_SUMMARY_MAX_TOKENS"
            )

    @property
    def max_uncovered(self) -> int:
        """Tokens that one summary can still read in full."""
        return self.num_recent - self.num_reserved

    def due(self, *, num_uncovered: int, seconds_since: float) -> str | None:
        """Why a summary is due now: "window", "tokens", "seconds"; None when it is not."""
        if num_uncovered >= self.max_uncovered:
            return "window"
        if num_uncovered >= self.num_tokens:
            return "tokens"
        if num_uncovered > 0 and seconds_since >= self.num_seconds:
            return "seconds"
        return None

    def room(self, *, num_seen: int, covered: int, being_covered: int | None) -> int:
        """How many more tokens may be fed. `being_covered` is the position that the summary now
        being made will reach, None when none is being made."""
        before_slide = covered + self.num_recent
        before_next = (covered if being_covered is None else being_covered) + self.max_uncovered
        return max(0, min(before_slide, before_next) - num_seen)
