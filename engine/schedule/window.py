"""Which tokens a session sees, and where they live in its row. Integers only.

Tokens of a session are numbered 0, 1, 2, ... A window has S sinks, the first S tokens, which never
leave, and room for R recent ones. When a token finds no room, the D oldest recent tokens leave
together. D = 1 is StreamingLLM's window (Xiao et al., 2309.17453), which moves by one token at a
time; with D = R / 2 it is the context shift of llama.cpp and of Intel's extension for transformers.

Distances are those inside the window: a token stands at the place after the last one that it sees,
as if those before had never been, and looks from there at the sinks, whose places are 0, 1, ...
"""

from __future__ import annotations

from dataclasses import dataclass

HALF = -1  # of the recent tokens, in place of a number of them


@dataclass(frozen=True)
class Window:
    """Token i lives in slot i if i < S, else in slot S + (i - S) % R.

    So a row of S + R slots is never rearranged: a new token takes the slot of one that has left.
    """

    num_sinks: int
    num_recent: int
    num_discard: int = 1

    @property
    def size(self) -> int:
        return self.num_sinks + self.num_recent

    def with_sinks(self, num_sinks: int) -> Window:
        """As many slots, of which `num_sinks` are for sinks."""
        num_recent = self.size - num_sinks
        return Window(num_sinks, num_recent, min(self.num_discard, num_recent))

    def slot(self, token: int) -> int:
        if token < self.num_sinks:
            return token
        return self.num_sinks + (token - self.num_sinks) % self.num_recent

    def runs(self, tokens: range) -> list[slice]:
        """The slots of `tokens`, at most as many as there are slots, in order: few slices."""
        runs, token = [], tokens.start
        while token < tokens.stop:
            slot = self.slot(token)
            length = min(tokens.stop - token, self.size - slot)
            runs.append(slice(slot, slot + length))
            token += length
        return runs

    @property
    def num_kept(self) -> int:
        """Recent tokens, the newest included, that are in the window at any time."""
        return self.num_recent - (self.num_discard - 1)

    def num_evicted(self, token: int) -> int:
        """How many tokens have left when `token` comes: a multiple of D."""
        num_times = (token - self.size) // self.num_discard + 1
        return num_times * (num_times > 0) * self.num_discard

    def place(self, token: int) -> int:
        """Where `token` stands in the window: as far from the first sink."""
        return token - self.num_evicted(token)

    def oldest(self, token: int) -> int:
        """The first of the recent tokens that `token` sees."""
        return self.num_sinks + self.num_evicted(token)

    def fill(self, num_tokens: int) -> int:
        """Tokens in the window after `num_tokens`."""
        return num_tokens - self.num_slid_out(num_tokens)

    def num_slid_out(self, num_tokens: int) -> int:
        return self.num_evicted(num_tokens - 1)

    def num_slots(self, num_tokens: int) -> int:
        """Slots written by `num_tokens` tokens, the first ones of the row."""
        return min(num_tokens, self.size)

    def slot_tokens(self, num_tokens: int) -> list[int]:
        """The token last written to each of these slots, in slot order."""
        if num_tokens <= self.size:
            return list(range(num_tokens))
        oldest = num_tokens - self.num_recent
        newest_lap = num_tokens - (oldest - self.num_sinks) % self.num_recent
        sinks = range(self.num_sinks)
        return [*sinks, *range(newest_lap, num_tokens), *range(oldest, newest_lap)]
