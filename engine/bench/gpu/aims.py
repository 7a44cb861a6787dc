"""What the engine aims at on a card, and whether it got there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.bench.aims import AIMED_DTYPE, LARGEST_DIFFERENCE, Aim, at_least, at_most

if TYPE_CHECKING:
    from engine.bench.gpu.decoding import Decoded
    from engine.bench.gpu.exactness import Exactness
    from engine.bench.gpu.feeding import Fed
    from engine.bench.gpu.recomputing import Recomputed

PERCENT_OF_PEAK = 50.0
PERCENT_OF_BANDWIDTH = 70.0
TIMES_RECOMPUTING = 22.2
AIMED_WINDOW = 4096


def aims_of(results: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Aim]]:
    """Of what has been measured so far, by the name of the model."""
    aims: dict[str, dict[str, Aim]] = {}
    for model, name, aim in [
        *_same_logits(results.get("exactness", ())),
        *_feeding(results.get("feeding", ())),
        *_decoding(results.get("decoding", ())),
        *_recomputing(results.get("recomputing", ())),
    ]:
        aims.setdefault(model, {})[name] = aim
    return aims


Named = Iterable[tuple[str, str, Aim]]


def _same_logits(exactness: Sequence[Exactness]) -> Named:
    for exact in exactness:
        if exact.dtype == AIMED_DTYPE:
            what = f"largest difference of logits from the processor's, {AIMED_DTYPE}"
            difference = max(exact.max_difference, exact.decoded_short_by)
            yield exact.model, "same_logits", at_most(what, LARGEST_DIFFERENCE, difference)


def _feeding(feeding: Sequence[Fed]) -> Named:
    """A model is asked for its best way of feeding; all of them are in the table."""
    best: dict[str, Fed] = {}
    for fed in feeding:
        if fed.model not in best or fed.share_of_peak > best[fed.model].share_of_peak:
            best[fed.model] = fed
    for model, fed in best.items():
        what = f"percent of the matrix peak, {fed.num_streams} x {fed.chunk} tokens a step"
        yield model, "feeding", at_least(what, PERCENT_OF_PEAK, 100 * fed.share_of_peak)


def _decoding(decoding: Sequence[Decoded]) -> Named:
    for decoded in decoding:
        what = f"percent of the bandwidth, {decoded.num_streams} streams, rows in {decoded.rows}"
        percent = 100 * decoded.share_of_bandwidth
        name = f"decoding_{decoded.num_streams}"
        yield decoded.model, name, at_least(what, PERCENT_OF_BANDWIDTH, percent)


def _recomputing(recomputing: Sequence[Recomputed]) -> Named:
    for recomputed in recomputing:
        if recomputed.window == AIMED_WINDOW:
            what = f"times as fast as recomputing a window of {AIMED_WINDOW:,} for each token"
            aim = at_least(what, TIMES_RECOMPUTING, recomputed.times.median)
            yield recomputed.model, "recomputing", aim
