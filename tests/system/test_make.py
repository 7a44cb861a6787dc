"""`make` on a machine that lacks something: one line that says what, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_PIP = 'case "$*" in *ensurepip*) exit 1 ;; esac'
PIP_SAYS = """
case "$*" in "-m venv "*)
  mkdir -p .venv/bin
  printf '#!/bin/sh\\necho "{said}"\\nexit 1\\n' > .venv/bin/pip
  chmod +x .venv/bin/pip ;;
esac
"""
RETRYING = PIP_SAYS.format(said="WARNING: Retrying after connection broken by x: /simple/celery/")
NO_SPACE = PIP_SAYS.format(said="Collecting torch\\nERROR: [Errno 28] No space left on device")


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("exit 1", "Weir needs Python 3.10 or newer: make PYTHON="),
        (NO_PIP, "(no ensurepip). On Debian and Ubuntu: apt install python3-venv"),
        (RETRYING, "pip cannot reach its package index. Is there a network?"),
        (NO_SPACE, "pip failed: ERROR: [Errno 28] No space left on device (more in .venv/pip.log)"),
    ],
)
def test_what_a_fresh_machine_lacks_is_said_in_one_line(
    tmp_path: Path, python: str, said: str
) -> None:
    """`python` is what this machine's Python does, as a shell script. The environment is that of a
    person: `make test` leaves flags of its own in it (MAKEFLAGS, MAKELEVEL)."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o755)
    result = subprocess.run(
        ["make", "demo", f"PYTHON={program}"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("M")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    [line] = [one for one in result.stdout.splitlines() if not one.startswith("Installing Weir")]
    assert said in line
    [of_make] = result.stderr.splitlines()
    assert of_make.startswith("make: ***")
