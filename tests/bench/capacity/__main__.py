"""Prints the tables of docs/growing.md; the last line is one JSON object."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.capacity.costs import Costs, measure
from tests.bench.capacity.crowd import WORDS_PER_SECOND
from tests.bench.capacity.meter import Cost
from tests.bench.capacity.storm import Simulation, Storm, pause_seconds

STREAMS = (1_000, 10_000, 100_000, 300_000)
STREAMS_PER_WORKER = 1_000  # the default of WEIR_MAX_STREAMS
SHARES_THAT_DIE = (None, 10)  # one worker, and one in ten
NUM_SEEDS = 5


def main() -> None:
    with TemporaryDirectory() as folder:
        costs = measure(Path(folder))
    for table in (costs_table(costs), streams_table(costs), storms_table(costs)):
        print(table, end="\n\n")
    print(json.dumps({"load": round(os.getloadavg()[0], 1), **asdict(costs)}))


def costs_table(costs: Costs) -> str:
    rows: list[tuple[str, Cost]] = [
        ("an owned stream at rest, a second", costs.resting),
        ("a stream at the speed of talk, a second, its publisher's part too", costs.talking),
        ("a stream with an owner, a look", costs.looked_owned),
        ("a stream given back at rest, a look", costs.looked_free),
        ("a stream taken over", costs.adopted),
        ("a message, with one worker", costs.offered),
        ("more, for each other worker that waits", costs.overheard),
        ("a worker's line, each time that another worker reads the table", costs.told),
    ]
    cells = [
        (what, f"{cost.commands:.2f}", micro(cost.server_seconds), micro(cost.our_seconds))
        for what, cost in rows
    ]
    return table(("what", "commands", "server, µs", "worker, µs"), cells)


def streams_table(costs: Costs) -> str:
    rows = []
    for num in STREAMS:
        workers = num // STREAMS_PER_WORKER
        telling = workers**2 * costs.told
        resting = num * costs.resting + looks(num, costs.looked_owned) + telling
        talking = num * costs.talking + looks(num, costs.looked_owned) + telling
        free = looks(num, costs.looked_free)
        shown = [f"{cost.commands:,.0f} ({cores(cost)})" for cost in (resting, talking, free)]
        grown = num * costs.bytes_per_word * WORDS_PER_SECOND * 3600
        apart = looked_every(num, costs.looked_owned), looked_every(num, costs.looked_free)
        seconds = " / ".join(f"{every:.0f} s" for every in apart)
        rows.append((f"{num:,}", *shown, size(num * costs.bytes_resting), size(grown), seconds))
    head = (
        "streams",
        "commands/s (cores of the server): at rest",
        "at the speed of talk",
        "given back, at rest",
        "bytes at rest",
        "more, in an hour of talk",
        "looked at every (owned / given back)",
    )
    return table(head, rows)


def storms_table(costs: Costs) -> str:
    rows = []
    for num in STREAMS:
        workers = max(2, num // STREAMS_PER_WORKER)
        for share in SHARES_THAT_DIE:
            num_dead = workers // share if share else 1
            if num_dead > 1 or not share:
                storm = Storm(num, num * num_dead // workers, workers - num_dead)
                rows.append((f"{num:,}", f"{num_dead:,} of {workers:,}", *simulated(storm, costs)))
    head = ("streams", "workers that die", "their streams", "the last is owned after, s")
    return table(
        (*head, "messages", "most commands/s, beside the rest", "cores of the server"), rows
    )


def simulated(storm: Storm, costs: Costs) -> tuple[str, ...]:
    """The longest of several."""
    runs = [Simulation(storm, costs, seed=seed) for seed in range(NUM_SEEDS)]
    worst = max(runs, key=lambda run: max(run.owned_at.values()))
    return (
        f"{storm.num_orphans:,}",
        f"{max(worst.owned_at.values()):.1f}",
        f"{worst.num_messages:,}",
        f"{worst.peak.commands:,.0f}",
        cores(worst.peak),
    )


def looks(num_streams: int, cost: Cost) -> Cost:
    """A second's share of looking at all of them."""
    return num_streams * cost / looked_every(num_streams, cost)


def looked_every(num_streams: int, cost: Cost) -> float:
    took = num_streams * cost.our_seconds
    return took + pause_seconds(took)


def cores(cost: Cost) -> str:
    return f"{cost.server_seconds:.2g}"


def micro(seconds: float) -> str:
    return f"{1e6 * seconds:,.1f}"


def size(num_bytes: float) -> str:
    return f"{num_bytes / 1e6:,.0f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:,.1f} GB"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
