"""How fast everyone feeds and decodes, interleaved, and what it takes to keep a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.interleaved import Advance, InterleavedRuns, Spread, run_interleaved
from engine.bench.peers.participants import IN_CHUNKS, WEIR, Participant, StreamCosts
from engine.bench.peers.run_size import PeerRunSize

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
    """One participant's streams: tokens per second of all of them by their number.

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
    participants: Sequence[Participant], run_size: PeerRunSize, advance: Advance
) -> list[Fed]:
    runs = {_name(c, way): run for c in participants for way, run in c.feeding.items()}
    measured = run_interleaved(runs, run_size.feeding_rounds, advance=advance)
    against = _AgainstUs(measured, participants, IN_CHUNKS)
    return [
        Fed(
            c.who,
            c.precision,
            way,
            measured.tokens_per_second(_name(c, way)),
            against.same(c, way),
            against.best(c, way),
        )
        for c in participants
        for way in c.feeding
    ]


def measure_decoding(
    participants: Sequence[Participant], run_size: PeerRunSize, advance: Advance
) -> list[Decoded]:
    runs = {_name(c, number): run for c in participants for number, run in c.decoding.items()}
    measured = run_interleaved(runs, run_size.decoding_rounds, advance=advance)
    against = _AgainstUs(measured, participants, ALONE)
    return [
        Decoded(
            c.who,
            c.precision,
            {number: measured.tokens_per_second(_name(c, number)) for number in c.decoding},
            against.same(c, ALONE),
            against.best(c, ALONE),
            measured.ratio(_name(c, ALONE), _name(c, TOGETHER)),
        )
        for c in participants
    ]


def measure_snapshots(
    participants: Sequence[Participant], advance: Advance
) -> dict[str, StreamCosts]:
    figures = {}
    for participant in participants:
        figures[participant.name] = participant.keep()
        advance(1)
    return figures


def _name(participant: Participant, way: Way) -> str:
    return f"{participant.name}, {way}"


class _AgainstUs:
    """Ratios to our own engine, which works in `our_way`, whatever the way of the others."""

    def __init__(
        self, measured: InterleavedRuns, participants: Sequence[Participant], our_way: Way
    ) -> None:
        self._measured = measured
        self._ours = {c.precision: _name(c, our_way) for c in participants if c.who == WEIR}
        self._best = max(self._ours.values(), key=measured.tokens_per_second)

    def same(self, participant: Participant, way: Way) -> Spread | None:
        """In the same precision; None if we have no such."""
        ours = self._ours.get(participant.precision)
        return self._measured.ratio(_name(participant, way), ours) if ours else None

    def best(self, participant: Participant, way: Way) -> Spread:
        return self._measured.ratio(_name(participant, way), self._best)
