"""Threads that wait for one another sleep: a worker is rarely alone on its cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("set_by_user", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_they_sleep_unless_the_user_says_otherwise_and_torch_is_told_before_it_comes(
    set_by_user: str | None, expected: str
) -> None:
    environment = {n: v for n, v in os.environ.items() if n != "OMP_WAIT_POLICY"}
    if set_by_user:
        environment["OMP_WAIT_POLICY"] = set_by_user
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys, engine; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [expected, "False"]
