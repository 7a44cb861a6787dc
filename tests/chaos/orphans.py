"""A worker with a hundred streams is killed: when does the last of them have an owner again?

    python -m tests.chaos.orphans --kills 3

Two workers share 200 streams with little text. Prints a line for each kill, and ends with a line of
JSON; exit 1 if a stream had no owner two seconds after its lease could have run out, or an entry is
missing, out of order or there twice. The machine's load is in each line, for the promise is about
one that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.chaos.fleet import Fleet
from worker.keyspace.embedded import EmbeddedServer
from worker.settings.config import Settings

LEASE_SECONDS = Settings().lease_seconds
ALLOWED_SECONDS = LEASE_SECONDS + 2.0
ENTRIES_PER_SECOND = 10
EVEN_SECONDS = 90.0  # for two workers to start and to have half of the streams each
QUIET_SECONDS = 5.0  # for those that are on their way then


def kill_one(fleet: Fleet) -> list[float]:
    """Kills the oldest worker; returns the seconds until each of its streams had an owner."""
    pid = fleet.workers[0].pid
    load = os.getloadavg()[0]
    orphans = fleet.streams_of(pid)
    killed_at = fleet.kill_first()
    owned_at: dict[str, float] = {}

    def all_are_owned() -> bool:
        for name in orphans:
            if f":{pid}:" not in fleet.owners[name]:
                owned_at.setdefault(name, time.monotonic())
        return len(owned_at) == len(orphans)

    wait_for(all_are_owned, 3 * ALLOWED_SECONDS)
    took = [owned_at.get(name, float("inf")) - killed_at for name in orphans]
    print(
        f"{len(took)} streams of the dead: first owned after {min(took):.2f} s, half after "
        f"{median(took):.2f} s, all after {max(took):.2f} s (allowed: {ALLOWED_SECONDS:g}); load "
        f"{load:.1f}",
        flush=True,
    )
    return took


def is_even(fleet: Fleet) -> bool:
    shares = [len(fleet.streams_of(worker.pid)) for worker in fleet.workers]
    return sum(shares) == len(fleet.streams) and max(shares) - min(shares) <= sum(shares) / 5


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.orphans", description=__doc__)
    parser.add_argument("--streams", type=int, default=200, help="of both workers together")
    parser.add_argument("--kills", type=int, default=1, help="one after the other")
    arguments = parser.parse_args()
    streams = [f"live:{number}" for number in range(arguments.streams)]
    with TemporaryDirectory() as folder, EmbeddedServer() as server:
        fleet = Fleet(server.url, Path(folder), streams, entries_per_second=ENTRIES_PER_SECOND)
        took = []
        try:
            fleet.start()
            fleet.add(1)
            for _ in range(arguments.kills):
                fleet.add(1)
                if not wait_for(lambda: is_even(fleet), EVEN_SECONDS):
                    sys.exit("the workers do not share their streams evenly; is the load too high?")
                time.sleep(QUIET_SECONDS)
                took.append(kill_one(fleet))
            wrong = fleet.finish()
        finally:
            fleet.stop()
    found = {
        "kills": len(took),
        "orphans": sum(map(len, took)),
        "all_owned_seconds": [round(max(seconds), 2) for seconds in took],
        "allowed_seconds": ALLOWED_SECONDS,
        "entries": fleet.published.total(),
        "wrong": wrong,
    }
    print(json.dumps(found))
    return int(bool(wrong) or any(max(seconds) > ALLOWED_SECONDS for seconds in took))


if __name__ == "__main__":
    sys.exit(main())
