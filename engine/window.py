"""Which tokens a session sees, and where they live in its row. Integers only.

Tokens of a session are numbered 0, 1, 2, ... With S sinks and R recent tokens, token t sees the
sinks j < min(S, t + 1) and the recent tokens max(S, t - R + 1) <= j <= t. Distances are those
inside the window (StreamingLLM, Xiao et al., 2309.17453): to a recent token t - j, to a sink
min(t, S + R - 1) - j, which stops growing once the window is full.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Token i lives in slot i if i < S, else in slot S + (i - S) % R.

    So a row of S + R slots is never rearranged: a new token takes the slot of the one that left.
    """

    num_sinks: int
    num_recent: int

    @property
    def size(self) -> int:
        return self.num_sinks + self.num_recent

    def slot(self, token: int) -> int:
        if token < self.num_sinks:
            return token
        return self.num_sinks + (token - self.num_sinks) % self.num_recent

    def fill(self, num_tokens: int) -> int:
        """Tokens in the window after `num_tokens`; they fill exactly the first slots of the row."""
        return min(num_tokens, self.size)

    def num_slid_out(self, num_tokens: int) -> int:
        return max(0, num_tokens - self.size)

    def slot_tokens(self, num_tokens: int) -> list[int]:
        """The token in each filled slot, in slot order, after `num_tokens` tokens."""
        if num_tokens <= self.size:
            return list(range(num_tokens))
        oldest = num_tokens - self.num_recent
        newest_lap = num_tokens - (oldest - self.num_sinks) % self.num_recent
        sinks = range(self.num_sinks)
        return [*sinks, *range(newest_lap, num_tokens), *range(oldest, newest_lap)]

    def sink_reader(self, token: int) -> int:
        """The place from which `token` looks at the sinks: its own, or the window's last."""
        return min(token, self.size - 1)
