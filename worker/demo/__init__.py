"""`weir demo`: the whole path on one machine, with nothing to set up.

An embedded Valkey, one Celery worker in a process of its own, and a talk that is published at a
chosen speed; what comes out is read back from Redis, as any program would, and shown while it runs.
"""

from worker.demo.main import run
from worker.demo.options import add_arguments

__all__ = ["add_arguments", "run"]
