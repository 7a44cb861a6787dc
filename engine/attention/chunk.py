"""A chunk: tokens of one session that are attended together, and what each of them sees.

Its queries see recent tokens, the last before the chunk and the chunk itself, in their order: a
band along the diagonal. It is cut into blocks of queries, and blocks of the same shape are attended
at once. Sinks are looked at from elsewhere, and so apart.

Letters: C tokens of the chunk, S sinks, B blocks of Q queries, T keys that a block's queries see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from engine.schedule.session import Session


@dataclass(frozen=True)
class Band:
    """B blocks of Q queries each, side by side from `first_query` on, counted in the chunk.

    The keys of the first block are T in a row, the first of them `first_key` of those that the
    chunk sees; each further block begins Q keys later. `lag` is the distance from a block's first
    query to its first key; `mask` (Q, T) float32 is added to the scores: 0 = visible, -inf = not.
    """

    num_blocks: int
    first_query: int
    first_key: int
    lag: int
    mask: Tensor

    @property
    def queries(self) -> slice:
        return slice(self.first_query, self.first_query + self.num_blocks * len(self.mask))

    @property
    def keys(self) -> slice:
        """Of all its blocks."""
        num_queries, num_keys = self.mask.shape
        return slice(
            self.first_key, self.first_key + (self.num_blocks - 1) * num_queries + num_keys
        )

    @property
    def distances(self) -> Tensor:
        """(Q, T) float32: from query to key."""
        queries, keys = (torch.arange(n, device=self.mask.device) for n in self.mask.shape)
        return ((queries + self.lag).unsqueeze(1) - keys).float()


class Chunk:
    """C tokens of a session, of which either all come before its window is full, or none.

    Before, the window is all that there has been, and nothing in it is special: its sinks are
    recent tokens like the others. `reach`, where it is asked for, is how far a layer looks; None =
    as far as the window goes.
    """

    def __init__(
        self, session: Session, first: int, offset: int, num_tokens: int, device: torch.device
    ) -> None:
        self.session = session
        self.window = session.window
        self.first = first
        self.tokens = slice(offset, offset + num_tokens)  # of the packed sequence
        self.device = device
        self._bands: dict[tuple[int | None, int], tuple[Band, ...]] = {}

    @property
    def num_tokens(self) -> int:
        return self.tokens.stop - self.tokens.start

    @property
    def is_young(self) -> bool:
        return self.first < self.window.size

    @property
    def is_rolling(self) -> bool:
        """Whether each query sees just one token further than the one before, at both ends."""
        return not self.is_young and self.window.num_discard == 1

    @property
    def num_sinks(self) -> int:
        """Sinks that are looked at apart."""
        return 0 if self.is_young else self.window.num_sinks

    def num_sinks_seen(self, reach: int | None) -> int:
        """All of them, or none if even the nearest query does not reach the last."""
        nearest = self._nearest_place - (self.num_sinks - 1)
        return self.num_sinks if reach is None or nearest < reach else 0

    def reach(self, sliding_window: int | None) -> int | None:
        is_far = sliding_window is None or sliding_window >= self.window.size
        return None if is_far else sliding_window

    def held(self, reach: int | None) -> list[slice]:
        """The slots of the tokens before the chunk that its queries see, in the tokens' order."""
        return self.window.runs(range(self._oldest(self.first, reach), self.first))

    @cached_property
    def writes(self) -> list[tuple[slice, slice]]:
        """Slots, and the tokens of the packed sequence that go there: the last ones, as many as
        anybody after the chunk may see."""
        num_lasting = self.num_tokens if self.is_young else self.window.num_recent
        last = range(self.first, self.first + self.num_tokens)[-num_lasting:]
        pairs, token = [], self.tokens.stop - len(last)
        for slots in self.window.runs(last):
            length = slots.stop - slots.start
            pairs.append((slots, slice(token, token + length)))
            token += length
        return pairs

    @property
    def turns(self) -> Tensor:
        """(C,) int64, on the CPU: how far each query is turned back to look at the sinks."""
        turns = self._queries - self.session.base - self._places
        return turns if self.num_sinks else torch.zeros_like(turns)

    @cached_property
    def _nearest_place(self) -> int:
        return int(self._places.min())

    @cached_property
    def sink_distances(self) -> Tensor:
        """(C, S) float32: from query to sink inside the window."""
        distances = self._places.unsqueeze(1) - torch.arange(self.num_sinks)
        return distances.to(self.device, torch.float32)

    def bands(self, reach: int | None, num_queries: int) -> tuple[Band, ...]:
        """In the order of their queries, in blocks of `num_queries` but for the last."""
        key = reach, num_queries
        if key not in self._bands:
            cut = self._rolling_bands if self.is_rolling else self._single_bands
            self._bands[key] = tuple(cut(reach, num_queries))
        return self._bands[key]

    def _rolling_bands(self, reach: int | None, num_queries: int) -> Iterator[Band]:
        width = min(self.window.num_recent, reach or self.window.num_recent)
        num_blocks, rest = divmod(self.num_tokens, num_queries)
        whole = num_blocks * num_queries
        for start, blocks, queries in ((0, num_blocks, num_queries), (whole, 1, rest)):
            if blocks * queries:
                mask = rolling_mask(width, queries, self.device)
                yield Band(blocks, start, start, width - 1, mask)

    def _single_bands(self, reach: int | None, num_queries: int) -> Iterator[Band]:
        """One for each block, whatever its queries see."""
        first_held = self._oldest(self.first, reach)
        for start in range(0, self.num_tokens, num_queries):
            queries = self._queries[start : start + num_queries].unsqueeze(1)
            token = self.first + start
            first_key = self._oldest(token, reach)
            keys = torch.arange(first_key, token + len(queries))
            visible = (self._oldest(queries, reach) <= keys) & (keys <= queries)
            mask = _mask(visible, self.device)
            yield Band(1, start, first_key - first_held, token - first_key, mask)

    def _oldest(self, token: Any, reach: int | None) -> Any:
        """The first of the recent tokens that `token` sees; of many at once, if it is a tensor."""
        oldest: Any = 0 * token if self.is_young else self.window.oldest(token)
        if reach is None:
            return oldest
        nearest = token - reach + 1
        return max(oldest, nearest) if isinstance(token, int) else oldest.maximum(nearest)

    # ---- on the CPU, int64

    @cached_property
    def _queries(self) -> Tensor:
        """(C,): the tokens that look."""
        return torch.arange(self.first, self.first + self.num_tokens)

    @cached_property
    def _places(self) -> Tensor:
        """(C,): where they stand in the window."""
        window: Any = self.window
        places: Tensor = window.place(self._queries)
        return places


# A window has few shapes of blocks, and of those that end a chunk only the last ones are kept.
@lru_cache(8)
def rolling_mask(width: int, num_queries: int, device: torch.device) -> Tensor:
    """(Q, width - 1 + Q): each query sees `width` keys, the first query the first ones."""
    places = torch.arange(width - 1 + num_queries) - torch.arange(num_queries).unsqueeze(1)
    return _mask((places >= 0) & (places < width), device)


def _mask(visible: Tensor, device: torch.device) -> Tensor:
    return torch.where(visible, 0.0, -torch.inf).to(device)
