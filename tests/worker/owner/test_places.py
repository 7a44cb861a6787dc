"""A full disk keeps streams out for as long as it is full, and not much longer."""

from __future__ import annotations

import pytest

from worker.owner.places import Places


@pytest.mark.parametrize("num_set", [1, 16, 1000])
def test_all_places_are_back_seconds_after_there_is_room_again(num_set: int) -> None:
    """Others ask ten times a second. A thousand took four minutes, at a tenth more in 5 s."""
    places, owned, now = Places(num_set, now=0.0), num_set, 0.0
    places.are_short(0, now)
    owned = 0
    while owned < num_set:
        now += 0.1
        while places.has_one(owned, now):
            owned += 1
    assert now <= 11


def test_no_place_is_taken_in_the_moment_after_there_was_none() -> None:
    places = Places(16, now=0.0)
    assert places.has_one(9, now=50.0)
    places.are_short(9, now=50.0)
    assert not places.has_one(9, now=50.9)
    assert places.has_one(9, now=51.0)
    assert not places.has_one(10, now=51.0)


def test_a_disk_that_stays_full_is_tried_with_one_stream_at_a_time() -> None:
    places, now, num_tried = Places(1000, now=0.0), 0.0, 0
    places.are_short(9, now)
    for _ in range(100):
        now += 0.1
        if places.has_one(9, now):
            num_tried += 1
            places.are_short(9, now)
    assert num_tried <= 10


def test_one_place_is_left_whatever_is_full() -> None:
    places = Places(16, now=0.0)
    places.are_short(0, now=0.0)
    assert places.has_one(0, now=0.1)
