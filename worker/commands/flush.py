"""Bring a stream's transcript and summary up to date now, without waiting for the cadence.

Its owner does it; without an owner, the next worker that takes the stream up.
"""

from __future__ import annotations

import argparse

from worker.commands.named_stream import add_arguments, ask_owner
from worker.keyspace.keys import stream_keys

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    ask_owner(arguments, "flush")
    print(f"asked for; the summary comes in {stream_keys(arguments.key).summary}")
    return 0
