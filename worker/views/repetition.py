"""Keeps a summary from going in circles, as small models do when they are decoded greedily.

Invariant: no run of NUM_TOKENS tokens occurs twice in one answer (no-repeat n-gram blocking,
Paulus et al. 2018, section 2.5, arXiv 1705.04304).
"""

from __future__ import annotations

from collections import defaultdict

from engine import AllBut

NUM_TOKENS = 4


class NoRepetition:
    """Satisfies `engine.Constraint`; the end tokens are always allowed."""

    def __init__(self, stop: frozenset[int]):
        self._stop = stop
        self._tail: tuple[int, ...] = ()
        self._next_after: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)

    def allowed(self) -> AllBut:
        return AllBut(self._next_after[self._tail] - self._stop)

    def accept(self, token_id: int) -> None:
        if len(self._tail) == NUM_TOKENS - 1:
            self._next_after[self._tail].add(token_id)
        self._tail = (*self._tail, token_id)[1 - NUM_TOKENS :]

    @property
    def is_complete(self) -> bool:
        return False
