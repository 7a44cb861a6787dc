"""One worker becomes four, and four become two, under load: who has which stream, and the pauses.

    python -m tests.chaos.scaling

Prints what each change moved and how long a stream had no owner, and ends with a line of JSON; exit
1 if an entry is missing, out of order or there twice. Workers are processes, the server is real.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.fleet import Fleet
from worker.keyspace.embedded import EmbeddedServer

STREAMS = [f"live:{number}" for number in range(24)]
ENTRIES_PER_SECOND = 10


def main() -> int:
    with TemporaryDirectory() as folder, EmbeddedServer() as server:
        fleet = Fleet(server.url, Path(folder), STREAMS, entries_per_second=ENTRIES_PER_SECOND)
        try:
            fleet.start()
            fleet.add(1)
            fleet.watch(25, "one worker")
            fleet.add(3)
            fleet.watch(60, "three more")
            fleet.watch(20, "left alone")
            for _ in range(2):
                fleet.drain_last()
                fleet.watch(10, "one drained and ended")
            wrong = fleet.finish()
        finally:
            fleet.stop()
    pauses = sorted(fleet.pauses)
    found = {
        "entries": fleet.published.total(),
        "wrong": wrong,
        "moves": len(pauses),
        "pause_median_seconds": round(pauses[len(pauses) // 2], 3),
        "pause_p99_seconds": round(pauses[int(0.99 * len(pauses))], 3),
    }
    print(json.dumps(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
