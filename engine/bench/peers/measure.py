"""How fast everyone feeds and decodes, in turns, and what it takes to keep a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.bench.peers.contestants import IN_CHUNKS, WEIR, Contestant, Kept
from engine.bench.peers.effort import PeerEffort
from engine.bench.turns import Advance, Spread, Turns, take_turns

TOGETHER = 16


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
    parties = {f"{c.name}, {way}": party for c in contestants for way, party in c.feeding.items()}
    turns = take_turns(parties, effort.feeding_rounds, advance=advance)

    def name_of(ours: Contestant) -> str:
        return f"{ours.name}, {IN_CHUNKS}"

    best = _fastest(contestants, turns, name_of)
    figures = []
    for contestant in contestants:
        same = _ours(contestants, contestant.precision)
        for way in contestant.feeding:
            name = f"{contestant.name}, {way}"
            figures.append(
                Fed(
                    contestant.who,
                    contestant.precision,
                    way,
                    turns.tokens_per_second(name),
                    turns.ratio(name, name_of(same)) if same else None,
                    turns.ratio(name, best),
                )
            )
    return figures


def measure_decoding(
    contestants: Sequence[Contestant], effort: PeerEffort, advance: Advance
) -> list[Decoded]:
    parties = {
        f"{c.name}, {num_streams}": party
        for c in contestants
        for num_streams, party in c.decoding.items()
    }
    turns = take_turns(parties, effort.decoding_rounds, advance=advance)

    def alone(contestant: Contestant) -> str:
        return f"{contestant.name}, 1"

    best = _fastest(contestants, turns, alone)
    figures = []
    for contestant in contestants:
        same = _ours(contestants, contestant.precision)
        speeds = {
            num_streams: turns.tokens_per_second(f"{contestant.name}, {num_streams}")
            for num_streams in contestant.decoding
        }
        figures.append(
            Decoded(
                contestant.who,
                contestant.precision,
                speeds,
                turns.ratio(alone(contestant), alone(same)) if same else None,
                turns.ratio(alone(contestant), best),
                turns.ratio(alone(contestant), f"{contestant.name}, {TOGETHER}"),
            )
        )
    return figures


def measure_keeping(contestants: Sequence[Contestant], advance: Advance) -> dict[str, Kept]:
    figures = {}
    for contestant in contestants:
        figures[contestant.name] = contestant.keep()
        advance(1)
    return figures


def _ours(contestants: Sequence[Contestant], precision: str) -> Contestant | None:
    ours = (c for c in contestants if c.who == WEIR and c.precision == precision)
    return next(ours, None)


def _fastest(
    contestants: Sequence[Contestant], turns: Turns, name_of: Callable[[Contestant], str]
) -> str:
    ours = [name_of(contestant) for contestant in contestants if contestant.who == WEIR]
    return max(ours, key=turns.tokens_per_second)
