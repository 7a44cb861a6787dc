"""Everybody has a turn in time, whoever comes and goes, and no call has more than its share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.owner.rotation import Rotation


@given(
    num_names=st.integers(1, 60),
    pauses=st.lists(st.floats(0.001, 0.3), min_size=1, max_size=80),
    at_least=st.integers(0, 5),
)
def test_nobody_waits_much_longer_than_a_period(
    num_names: int, pauses: list[float], at_least: int
) -> None:
    rotation = Rotation(1.0, at_least=at_least, now=0.0)
    for number in range(num_names):
        rotation.add(str(number))
    now, last = 0.0, dict.fromkeys(map(str, range(num_names)), 0.0)
    for pause in pauses:
        now += pause
        turns = rotation.turns(now)
        assert len(turns) == len(set(turns))
        assert turns == sorted(turns, key=lambda name: last[name])
        last |= dict.fromkeys(turns, now)
        # A share is cut to whole names, and what is cut waits for a call with a whole one.
        assert all(now - at <= 2.0 + 0.3 for at in last.values())


def test_a_call_has_its_share_and_never_less_than_a_few() -> None:
    rotation = Rotation(1.0, at_least=2, now=0.0)
    for number in range(100):
        rotation.add(str(number))
    assert rotation.turns(0.0) == ["0", "1"]
    assert rotation.turns(0.25) == [str(number) for number in range(2, 27)]
    assert len(rotation.turns(9.0)) == 100


def test_whoever_has_gone_has_no_turn() -> None:
    rotation = Rotation(1.0, at_least=9, now=0.0)
    for name in "abc":
        rotation.add(name)
    rotation.remove("b")
    assert rotation.turns(0.0) == ["a", "c"]
    rotation.add("b")
    assert rotation.turns(0.0) == ["a", "c", "b"]
