"""End a stream: a last summary of what is there, then no owner any more.

Entries that come later make it live again.
"""

from __future__ import annotations

import argparse

from worker.commands.named_stream import add_arguments, ask_owner
from worker.keyspace.keys import stream_keys

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    ask_owner(arguments, "close")
    print(f"asked for; the last summary comes in {stream_keys(arguments.key).summary}")
    return 0
