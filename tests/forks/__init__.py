"""Python programs that do not import what they need: they are forked from a process that has.

`[*PYTHON, "-m", "worker"]` stands where `[sys.executable, "-m", "worker"]` would, if it is not the
start that matters: imports are nearly all that a start costs. server.py forks, for a whole run of
the tests; python.py stands in for the program, for as long as it runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.forks.python import ADDRESS, KILL

_HERE = Path(__file__).parent
__all__ = ["KILL", "PYTHON", "fork_server", "wait_for_imports"]

# Neither site-packages nor the environment: the stand-in needs little, and starts in no time.
PYTHON = (sys.executable, "-S", "-E", str(_HERE / "python.py"))


@contextmanager
def fork_server() -> Iterator[None]:
    """For this process and those that it starts. It imports nothing until somebody wants a fork."""
    with TemporaryDirectory(prefix="weir-forks-") as folder:
        os.environ[ADDRESS] = str(Path(folder) / "socket")
        command = [sys.executable, "-m", "tests.forks.server", os.environ[ADDRESS]]
        with subprocess.Popen(
            command, cwd=_HERE.parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as server:
            assert server.stdout is not None
            server.stdout.readline()  # it listens
            yield


@cache
def wait_for_imports() -> None:
    """Before the first fork: how long a program takes is then its own doing."""
    subprocess.run([*PYTHON, "-c", "pass"], check=True)
