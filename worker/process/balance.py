"""Which worker gives how many of its streams to whom, so that each has its fair share.

Pure: every worker sees the same table of loads and works out its own part of the same plan, so
that no two give for the same need. A plan is made only if somebody is off its share by more than a
slack, and it then ends at the share: what is balanced stays as it is, and no stream goes back and
forth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

SLACK_SHARE = 0.1  # of its fair share: so far may a worker be off it, in whole streams
GIVEN_SHARE = 8  # of its streams a worker gives one in so many in a turn
FEW = 2  # but so many in any case
REMEMBERED_SECONDS = 5.0  # a stream that was given and is not there by then is somebody else's


@dataclass(frozen=True)
class Load:
    """What a worker says of itself. num_streams: that had something to do lately; num_places: how
    many streams it may own. A worker without places gives all away, and is given none."""

    num_streams: int
    num_places: int


@dataclass(frozen=True)
class Gift:
    """given_at: seconds, by the server's clock."""

    stream: str
    receiver: str
    given_at: float


@dataclass(frozen=True)
class Report:
    """at: seconds of the server's clock, when it was made. gifts: what this worker has given
    lately; its own load has that no more. taken: the streams that it was given lately, and has."""

    at: float
    load: Load
    gifts: tuple[Gift, ...] = ()
    taken: tuple[str, ...] = ()


def loads_of(reports: Mapping[str, Report]) -> dict[str, Load]:
    """With what is on its way to each: its next giver must not give for the same need again."""
    gifts = (gift for report in reports.values() for gift in report.gifts)
    on_the_way = Counter(g.receiver for g in gifts if _is_on_the_way(g, reports.get(g.receiver)))
    return {
        name: replace(report.load, num_streams=report.load.num_streams + on_the_way[name])
        for name, report in reports.items()
    }


def _is_on_the_way(gift: Gift, receiver: Report | None) -> bool:
    if receiver is None or gift.stream in receiver.taken:
        return False
    return receiver.at < gift.given_at + REMEMBERED_SECONDS


def receivers(loads: Mapping[str, Load], giver: str) -> list[str]:
    """Whom `giver` gives a stream now, a name for each stream; [] while all is well."""
    shares = fair_shares(loads)
    if giver not in shares or not _is_uneven(loads, shares):
        return []
    surplus = {name: max(0, loads[name].num_streams - shares[name]) for name in sorted(loads)}
    needs = _one_each_in_turn(
        {name: shares[name] - loads[name].num_streams for name in sorted(loads)}
    )
    first = sum(num for name, num in surplus.items() if name < giver)
    num = min(surplus[giver], max(FEW, math.ceil(loads[giver].num_streams / GIVEN_SHARE)))
    return needs[first : first + num]


def fair_shares(loads: Mapping[str, Load]) -> dict[str, int]:
    """Of all streams, by the places; {} if nobody has any. What cannot be parted is with those who
    have most now: that moves least."""
    num_streams = sum(load.num_streams for load in loads.values())
    num_places = sum(load.num_places for load in loads.values())
    if num_places == 0:
        return {}
    exact = {name: num_streams * load.num_places / num_places for name, load in loads.items()}
    shares = {name: math.floor(share) for name, share in exact.items()}
    left = num_streams - sum(shares.values())
    takers = [name for name, load in loads.items() if load.num_places]
    takers.sort(key=lambda n: (-round(exact[n] % 1, 6), -loads[n].num_streams, n))
    for name in takers[:left]:
        shares[name] += 1
    return shares


def _is_uneven(loads: Mapping[str, Load], shares: Mapping[str, int]) -> bool:
    return any(
        abs(load.num_streams - shares[name]) > math.floor(SLACK_SHARE * shares[name])
        for name, load in loads.items()
    )


def _one_each_in_turn(needs: Mapping[str, int]) -> list[str]:
    """Every name as often as it needs, none twice before the others had theirs."""
    most = max(needs.values(), default=0)
    return [name for turn in range(most) for name, num in needs.items() if num > turn]
