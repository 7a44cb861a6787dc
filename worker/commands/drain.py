"""Empty a worker: it hands its streams to the others, and takes none until --undo.

Returns when it has none. The worker goes on running: stop it then, and nobody waits for anything.
"""

from __future__ import annotations

import argparse
import time
from contextlib import suppress

from worker.commands.named_worker import full_name, workers_of
from worker.keyspace.connection import connect
from worker.keyspace.lease import process_of
from worker.keyspace.workers import Order, Workers
from worker.settings.options import SERVER_SETTINGS, UsageError, add_settings, settings_from

LOOK_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument("worker", metavar="WORKER", help="HOST:PID, as `weir streams` shows it")
    parser.add_argument("--undo", action="store_true", help="it may own streams again")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="(default: 60)"
    )
    add_settings(parser, (*SERVER_SETTINGS, "pattern"))


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    with connect(settings) as redis:
        workers = workers_of(redis, settings)
        name = full_name(workers, arguments.worker)
        workers.send(name, Order("undrain" if arguments.undo else "drain"))
        if arguments.undo:
            print(f"{process_of(name)} may own streams again")
            return 0
        left = _wait(workers, name, arguments.timeout)
    if left:
        raise UsageError(f"{process_of(name)} still has streams after {arguments.timeout:g} s")
    print(f"{process_of(name)} has no streams, and takes none until `--undo`")
    return 0


def _wait(workers: Workers, name: str, seconds: float) -> int:
    """How many streams it has at last. Raises UsageError if nobody is there to take them."""
    until = time.monotonic() + seconds
    while (left := _num_left(workers, name)) and time.monotonic() < until:
        if len(workers.all()) < 2:
            raise UsageError("there is no other worker to hand its streams to; start one first")
        time.sleep(LOOK_SECONDS)
    return left


def _num_left(workers: Workers, name: str) -> int:
    """As it says itself, once it has heard the order; 0 of one that has gone."""
    line = workers.all().get(name)
    with suppress(KeyError, TypeError, ValueError):
        if line:
            return int(line.said["streams"]) if line.said["places"] == 0 else 1
    return 0
