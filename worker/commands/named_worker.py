"""What the commands that name a worker have in common."""

from __future__ import annotations

from redis import Redis

from worker.keyspace.lease import process_of
from worker.keyspace.workers import WORKERS_KEY, Workers
from worker.settings.config import Settings
from worker.settings.options import UsageError
from worker.settings.shared_name import name_for_patterns


def workers_of(redis: Redis, settings: Settings) -> Workers:
    return Workers(redis, key=name_for_patterns(WORKERS_KEY, settings))


def full_name(workers: Workers, name: str) -> str:
    """Of a worker: HOST:PID, as `weir streams` shows it, is enough. Raises UsageError."""
    known = workers.all()
    found = [one for one in known if one == name or one.startswith(f"{name}:")]
    if len(found) == 1:
        return found[0]
    here = ", ".join(sorted(process_of(one) for one in known)) or "none"
    raise UsageError(f"{'no' if not found else 'more than one'} worker {name}; there are: {here}")
