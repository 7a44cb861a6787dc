"""The whole path on this machine, with nothing to set up: an embedded Valkey, one worker, and half
an hour of talk. Transcript, summaries and memory are shown while it runs.
"""

from worker.demo import add_arguments, run

__all__ = ["add_arguments", "run"]
