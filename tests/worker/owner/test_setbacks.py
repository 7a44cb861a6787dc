"""A stream that fails is tried again, less and less often, and never given up."""

from __future__ import annotations

import itertools

from worker.owner.setbacks import LONGEST_SECONDS, Setbacks


def trials(num_seconds: int) -> list[int]:
    """When a stream that always fails is tried, if it is offered in every second."""
    setbacks, tried = Setbacks(), []
    for now in range(num_seconds):
        if not setbacks.is_waiting("live:a", now):
            tried.append(now)
            setbacks.note("live:a", now)
    return tried


def test_pauses_grow_up_to_a_bound() -> None:
    tried = trials(2000)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS


def test_another_stream_is_not_kept_waiting() -> None:
    setbacks = Setbacks()
    setbacks.note("live:a", 0.0)
    assert not setbacks.is_waiting("live:b", 0.0)


def test_what_went_well_for_long_begins_anew_and_is_forgotten() -> None:
    setbacks = Setbacks()
    for now in (0.0, 10.0, 30.0):
        setbacks.note("live:a", now)
    setbacks.note("live:a", 1000.0)
    assert setbacks.is_waiting("live:a", 1009.0)
    assert not setbacks.is_waiting("live:a", 1010.0)
