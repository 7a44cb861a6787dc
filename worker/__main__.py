"""The start of `weir` and `python -m worker`: Ctrl-C ends it quietly even while it loads.

Left to Python, what is being imported at that moment would be told in a traceback.
"""

import signal
import sys


def main() -> int:
    """The console command; returns the exit code."""
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:  # and not in the background of a shell, which has told it to ignore them
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from worker.cli import main as run_command  # noqa: PLC0415 (a quarter of a second)

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run_command()


if __name__ == "__main__":
    sys.exit(main())
