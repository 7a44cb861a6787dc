"""Load moves to where there is less of it, and then rests: simulated over thousands of turns."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.process.balance import (
    REMEMBERED_SECONDS,
    Gift,
    Load,
    Report,
    fair_shares,
    loads_of,
    receivers,
)
from worker.process.balancer import STAYING_SECONDS

NUM_PLACES = 64


@dataclass
class Fleet:
    """Workers that see each other's loads late, and streams that take time to move: up to two
    turns, while nobody owns them. A turn is a second."""

    rng: random.Random
    owned: dict[str, set[int]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    moves: list[tuple[float, int, str, str]] = field(default_factory=list)  # when, what, from, to
    now: float = 0.0
    _seen: dict[str, Report] = field(default_factory=dict)
    _gifts: dict[str, list[Gift]] = field(default_factory=dict)
    _taken: dict[str, dict[str, float]] = field(default_factory=dict)
    _under_way: list[tuple[float, int, str]] = field(default_factory=list)

    def join(self, name: str, num_places: int = NUM_PLACES) -> None:
        self.owned[name], self.places[name] = set(), num_places

    def leave(self, name: str) -> set[int]:
        self._seen.pop(name, None)
        del self.places[name]
        return self.owned.pop(name)

    def turn(self) -> None:
        """Every worker's turn, in any order."""
        for name in self.rng.sample(sorted(self.owned), len(self.owned)):
            self.now += 1 / len(self.owned)
            self._arrive()
            self._seen[name] = self._report(name)
            for to in receivers(loads_of(self._seen), name):
                free = self.owned[name] - self._staying(name)
                if not free:
                    break
                stream = self.rng.choice(sorted(free))
                self.owned[name].remove(stream)
                self._under_way.append((self.now + 1.9 * self.rng.random(), stream, to))
                self.moves.append((self.now, stream, name, to))
                self._gifts.setdefault(name, []).append(Gift(str(stream), to, self.now))
            self._seen[name] = self._report(name)

    def _report(self, name: str) -> Report:
        last = self.now - REMEMBERED_SECONDS
        gifts = [gift for gift in self._gifts.get(name, []) if gift.given_at > last]
        taken = [stream for stream, at in self._taken.get(name, {}).items() if at > last]
        load = Load(len(self.owned[name]), self.places[name])
        return Report(self.now, load, tuple(gifts), tuple(taken))

    def _staying(self, name: str) -> set[int]:
        last = self.now - STAYING_SECONDS
        return {int(stream) for stream, at in self._taken.get(name, {}).items() if at > last}

    def _arrive(self) -> None:
        """A stream whose receiver has gone is taken by anybody."""
        for at, stream, to in self._under_way:
            if at <= self.now:
                owner = to if to in self.owned else sorted(self.owned)[0]
                self.owned[owner].add(stream)
                self._taken.setdefault(owner, {})[str(stream)] = self.now
        self._under_way = [one for one in self._under_way if one[0] > self.now]

    def run(self, num_turns: int) -> int:
        """The number of streams moved."""
        before = len(self.moves)
        for _ in range(num_turns):
            self.turn()
        return len(self.moves) - before

    @property
    def sizes(self) -> list[int]:
        return sorted(map(len, self.owned.values()))


def fleet(num_workers: int, num_streams: int, seed: int = 0) -> Fleet:
    made = Fleet(random.Random(seed))
    for number in range(num_workers):
        made.join(f"w{number}")
        made.owned[f"w{number}"] = set(range(number, num_streams, num_workers))
    return made


@given(
    st.integers(1, 12), st.integers(0, 300), st.integers(0, 2**30), st.sampled_from((16, 64, 256))
)
def test_a_worker_that_joins_gets_its_share_and_no_more_than_that_moves(
    num_workers: int, num_streams: int, seed: int, num_places: int
) -> None:
    all_of_them = fleet(num_workers, num_streams, seed)
    all_of_them.join("w-new", num_places)
    for name in all_of_them.places:
        all_of_them.places[name] = num_places
    num_moved = all_of_them.run(100)
    share = num_streams / (num_workers + 1)
    assert num_moved <= share + 0.1 * num_streams + 1
    slack = 0.1 * share + 1
    assert all(abs(size - share) <= slack for size in all_of_them.sizes)


@given(st.integers(1, 12), st.integers(0, 300), st.integers(0, 2**30))
def test_what_is_balanced_rests(num_workers: int, num_streams: int, seed: int) -> None:
    assert fleet(num_workers, num_streams, seed).run(200) == 0


def test_no_stream_goes_back_and_forth_over_thousands_of_turns() -> None:
    """Streams begin and end all the time, by chance; workers come and go now and then."""
    rng = random.Random(1)
    all_of_them = fleet(4, 100)
    num_born = 0
    for turn in range(5000):
        all_of_them.turn()
        for name, owned in all_of_them.owned.items():
            for stream in [s for s in owned if rng.random() < 0.001]:
                all_of_them.owned[name].discard(stream)
                num_born += 1  # whoever is asked first has it
                all_of_them.owned[rng.choice(sorted(all_of_them.owned))].add(1000 + num_born)
        if turn % 1000 == 500:
            all_of_them.join(f"v{turn}")
        if turn % 1000 == 0 and turn:
            homeless = all_of_them.leave(sorted(all_of_them.owned)[0])
            for stream in homeless:
                all_of_them.owned[rng.choice(sorted(all_of_them.owned))].add(stream)
    per_stream = len(all_of_them.moves) / (100 + num_born)
    assert num_born > 400
    assert per_stream < 1
    last: dict[int, tuple[float, str]] = {}
    for at, stream, giver, to in all_of_them.moves:
        left_at, left = last.get(stream, (-1000.0, ""))
        assert left != to or at - left_at > STAYING_SECONDS
        last[stream] = at, giver
    assert all_of_them.run(50) <= 2 * len(all_of_them.owned)  # what the last births left uneven
    assert all_of_them.run(200) == 0


def test_a_worker_without_places_gives_everything_away() -> None:
    all_of_them = fleet(3, 31)
    all_of_them.places["w1"] = 0
    all_of_them.run(40)
    assert not all_of_them.owned["w1"]
    assert sum(all_of_them.sizes) == 31


def test_shares_are_by_places() -> None:
    loads = {"a": Load(10, 0), "b": Load(20, 30), "c": Load(0, 10)}
    assert fair_shares(loads) == {"a": 0, "b": 23, "c": 7}


@pytest.mark.parametrize("loads", [{}, {"a": Load(5, 0)}, {"a": Load(5, 8)}])
def test_alone_nobody_gives(loads: dict[str, Load]) -> None:
    assert receivers(loads, "a") == []


def test_few_at_a_time_and_to_whoever_has_least_in_turn() -> None:
    loads = {"a": Load(24, 32), "b": Load(0, 32), "c": Load(0, 32)}
    assert receivers(loads, "a") == ["b", "c", "b"]
