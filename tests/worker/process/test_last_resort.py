"""When a process is ended that does not end, or go on, by itself; time passes when a test says so.
Real processes that hang are in tests/system/test_hanging.py.
"""

from __future__ import annotations

import pytest

from worker.process.last_resort import WITHOUT_US_SECONDS, LastResort


class Pulse:
    def __init__(self) -> None:
        self.has_begun = False
        self.age = 0.0

    def age_seconds(self) -> float:
        return self.age


class Watched:
    """A worker whose heart and clock are moved by hand."""

    def __init__(self, *, hung_seconds: float = 60.0, end_seconds: float = 30.0) -> None:
        self.now = 1000.0
        self.pulse = Pulse()
        self.armed: float | None = None
        self.num_ends = 0
        self.last_resort = LastResort(
            self.pulse,
            hung_seconds=hung_seconds,
            end_seconds=end_seconds,
            clock=lambda: self.now,
            arm=self._arm,
            end=self._end,
        )

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds
        self.pulse.age += seconds
        self.last_resort.look()

    def beat(self) -> None:
        self.pulse.has_begun, self.pulse.age = True, 0.0

    def _arm(self, seconds: float | None) -> None:
        self.armed = seconds

    def _end(self) -> None:
        self.num_ends += 1


def test_whoever_goes_round_lives_for_ever() -> None:
    watched = Watched()
    for _ in range(100):
        watched.beat()
        watched.pass_seconds(59)
    assert watched.num_ends == 0


def test_whoever_stands_still_is_ended_and_it_is_said_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    watched.beat()
    watched.pass_seconds(59)
    assert watched.num_ends == 0
    watched.pass_seconds(2)
    assert watched.num_ends == 1
    assert "has not gone round for 60 s (WEIR_HUNG_SECONDS)" in caplog.text


def test_a_model_may_load_for_as_long_as_it_likes() -> None:
    watched = Watched()
    watched.pass_seconds(7200)
    assert watched.num_ends == 0
    assert watched.armed is None


def test_nobody_is_ended_for_hanging_where_that_is_not_wanted() -> None:
    watched = Watched(hung_seconds=0)
    watched.beat()
    watched.pass_seconds(7200)
    assert watched.num_ends == 0
    assert watched.armed is None


def test_an_end_has_its_own_time_from_when_it_was_first_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(hung_seconds=10)
    watched.beat()
    watched.last_resort.expect_end()
    watched.pass_seconds(20)  # whoever is ending does not go round
    watched.last_resort.expect_end()
    assert watched.last_resort.seconds_left() == 10
    assert watched.num_ends == 0
    watched.pass_seconds(10)
    assert watched.num_ends == 1
    assert watched.last_resort.seconds_left() == 0
    assert "did not end in 30 s (WEIR_STOP_SECONDS)" in caplog.text


def test_an_end_is_bounded_while_a_model_loads_and_where_hanging_is_allowed() -> None:
    watched = Watched(hung_seconds=0)
    watched.last_resort.expect_end()
    watched.pass_seconds(30)
    assert watched.num_ends == 1


def test_if_even_this_thread_cannot_look_the_process_ends_a_little_later() -> None:
    watched = Watched()
    watched.beat()
    watched.pass_seconds(20)
    assert watched.armed == 40 + WITHOUT_US_SECONDS
    watched.last_resort.expect_end()
    watched.pass_seconds(1)
    assert watched.armed == 29 + WITHOUT_US_SECONDS


def test_whoever_is_ending_is_not_ready() -> None:
    watched = Watched()
    assert watched.last_resort.check() is None
    watched.last_resort.expect_end()
    assert watched.last_resort.check() == "this worker ends"
