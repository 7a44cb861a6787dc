"""How fast everyone feeds and decodes, in turns, and what it takes to keep a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.peers.contestants import IN_CHUNKS, WEIR, Contestant, Kept
from engine.bench.peers.effort import PeerEffort
from engine.bench.turns import Advance, Spread, Turns, take_turns

# Streams that decode.
ALONE = 1
TOGETHER = 16
# Of feeding, or how many streams decode.
Way = str | int


@dataclass(frozen=True)
class Fed:
    """One way to feed. The ratios are its time per token against ours in chunks: above 1, ours is
    faster; in the same precision (None if we have no such), and in our fastest."""

    who: str
    precision: str
    way: str
    tokens_per_second: float
    against_same: Spread | None
    against_best: Spread


@dataclass(frozen=True)
class Decoded:
    """One party's streams: tokens per second of all of them by their number.

    against_same   its time per token of one stream alone against ours in the same precision
    against_best   and against our fastest
    together       its speed with TOGETHER streams in that of one
    """

    who: str
    precision: str
    tokens_per_second: dict[int, float]
    against_same: Spread | None
    against_best: Spread
    together: Spread


def measure_feeding(
    contestants: Sequence[Contestant], effort: PeerEffort, advance: Advance
) -> list[Fed]:
    parties = {_party(c, way): party for c in contestants for way, party in c.feeding.items()}
    turns = take_turns(parties, effort.feeding_rounds, advance=advance)
    against = _AgainstUs(turns, contestants, IN_CHUNKS)
    return [
        Fed(
            c.who,
            c.precision,
            way,
            turns.tokens_per_second(_party(c, way)),
            against.same(c, way),
            against.best(c, way),
        )
        for c in contestants
        for way in c.feeding
    ]


def measure_decoding(
    contestants: Sequence[Contestant], effort: PeerEffort, advance: Advance
) -> list[Decoded]:
    parties = {
        _party(c, number): party for c in contestants for number, party in c.decoding.items()
    }
    turns = take_turns(parties, effort.decoding_rounds, advance=advance)
    against = _AgainstUs(turns, contestants, ALONE)
    return [
        Decoded(
            c.who,
            c.precision,
            {number: turns.tokens_per_second(_party(c, number)) for number in c.decoding},
            against.same(c, ALONE),
            against.best(c, ALONE),
            turns.ratio(_party(c, ALONE), _party(c, TOGETHER)),
        )
        for c in contestants
    ]


def measure_keeping(contestants: Sequence[Contestant], advance: Advance) -> dict[str, Kept]:
    figures = {}
    for contestant in contestants:
        figures[contestant.name] = contestant.keep()
        advance(1)
    return figures


def _party(contestant: Contestant, way: Way) -> str:
    return f"{contestant.name}, {way}"


class _AgainstUs:
    """Ratios to our own engine, which works in `our_way`, whatever the way of the others."""

    def __init__(self, turns: Turns, contestants: Sequence[Contestant], our_way: Way) -> None:
        self._turns = turns
        self._ours = {c.precision: _party(c, our_way) for c in contestants if c.who == WEIR}
        self._best = max(self._ours.values(), key=turns.tokens_per_second)

    def same(self, contestant: Contestant, way: Way) -> Spread | None:
        """In the same precision; None if we have no such."""
        ours = self._ours.get(contestant.precision)
        return self._turns.ratio(_party(contestant, way), ours) if ours else None

    def best(self, contestant: Contestant, way: Way) -> Spread:
        return self._turns.ratio(_party(contestant, way), self._best)
