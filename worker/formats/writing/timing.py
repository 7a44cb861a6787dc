"""When each utterance is on the screen: as it was said, one after the other.

Times that are known stay, except where two utterances would be there at once. Those that are not
known lie between their neighbours': an end is the next beginning or what reading takes, whichever
comes first, and utterances without any time share the pause they stand in, or the time of the one
before them. How many were given times so is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from worker.formats.clock import EPOCH_FROM_SECONDS
from worker.formats.writing.utterances import Utterance

CHARS_PER_SECOND = 15.0
MIN_SECONDS, MAX_SECONDS = 1.0, 7.0
_MIN_APART_SECONDS = 0.3  # of two beginnings; closer ones share the time that both have


@dataclass
class Placed:
    """An utterance and its time, in seconds; end > start."""

    said: Utterance
    start: float
    end: float


def reading_seconds(text: str) -> float:
    return min(MAX_SECONDS, max(MIN_SECONDS, len(text) / CHARS_PER_SECOND))


class Timing:
    """Gives utterances their time. `num_without`: those that had none. `origin`: what is nought
    here; not 0 if the times are dates."""

    def __init__(self) -> None:
        self.num_without = 0
        self.origin = 0.0
        self._is_first = True

    def placed(self, said: Iterable[Utterance]) -> Iterator[Placed]:
        """Nothing, if no utterance has a time at all. Each comes when the next that has a time is
        known."""
        waiting: list[Utterance] = []
        last: Placed | None = None
        for one in said:
            coming = self._of_its_own(one)
            if coming is None:
                waiting.append(one)
                self.num_without += 1
                continue
            yield from _settled(last, waiting, coming)
            last, waiting = coming, []
        yield from _settled(last, waiting, None)

    def _of_its_own(self, said: Utterance) -> Placed | None:
        start, end = said.start, said.end
        if start is None and end is None:
            return None
        takes = reading_seconds(said.text)
        begins = max(0.0, (end or 0.0) - takes) if start is None else start
        if self._is_first:
            self._is_first = False
            self.origin = begins if begins >= EPOCH_FROM_SECONDS else 0.0
        ends = begins + takes if end is None or end <= begins else end
        return Placed(said.earlier(self.origin), begins - self.origin, ends - self.origin)


def _settled(
    last: Placed | None, waiting: Sequence[Utterance], coming: Placed | None
) -> Iterator[Placed]:
    """`last` and those without times after it, none of which reaches into `coming`."""
    if last is None:
        if coming:
            yield from _before(waiting, coming)
        return
    if coming:
        _part_from(last, coming)
    room = coming.start - last.end if coming else None
    takes = sum(reading_seconds(one.text) for one in waiting)
    if room is not None and room < takes / 2:
        yield from _shared([last.said, *waiting], last.start, last.end + room)
        return
    yield last
    yield from _shared(waiting, last.end, last.end + (takes if room is None else min(takes, room)))


def _part_from(one: Placed, other: Placed) -> None:
    """They do not overlap any more; `other` may begin later than it did."""
    if other.start >= one.end:
        return
    if other.start - one.start < _MIN_APART_SECONDS:
        until = max(one.end, other.end)
        share = len(one.said.text) / (len(one.said.text) + len(other.said.text))
        other.start = one.start + (until - one.start) * share
        other.end = until
    one.end = other.start


def _before(waiting: Sequence[Utterance], first: Placed) -> Iterator[Placed]:
    """What was said before the first time that is known."""
    if not waiting:
        return
    takes = sum(reading_seconds(one.text) for one in waiting)
    if first.start < takes / 2:
        *early, own = _shared([*waiting, first.said], 0.0, first.end)
        first.start = own.start
        yield from early
    else:
        yield from _shared(waiting, max(0.0, first.start - takes), first.start)


def _shared(said: Sequence[Utterance], start: float, end: float) -> Iterator[Placed]:
    """By the length of their texts."""
    lengths = [len(one.text) for one in said]
    reached = [start + (end - start) * sum_ / max(1, sum(lengths)) for sum_ in accumulate(lengths)]
    for one, begins, ends in zip(said, [start, *reached], reached, strict=False):
        yield Placed(one, begins, ends)
