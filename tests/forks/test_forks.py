"""A program that is forked is, to whoever starts it, one that was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import KILL, PYTHON

BOTH = pytest.mark.parametrize("python", [(sys.executable,), PYTHON], ids=["started", "forked"])
TELLS_ALL = """
import json, os, sys
said = [sys.argv, os.getcwd(), os.environ["SAID"], __name__, sys.stdin.read()]
print(json.dumps(said)); print("bad", file=sys.stderr)
"""
ENDS = {
    "import sys; sys.exit(3)": (3, ""),
    "import sys; sys.exit('no')": (1, "no\n"),
    "print('well')": (0, "well\n"),
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": (-signal.SIGTERM, ""),
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, ""),
    "import atexit; atexit.register(print, 'at last')": (0, "at last\n"),
    "import threading; threading.Timer(0.1, print, ['later']).start()": (0, "later\n"),
}


def run(*command: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


def test_what_a_program_is_told_is_the_same(tmp_path: Path) -> None:
    told = {"input": "words€", "cwd": tmp_path, "env": {**os.environ, "SAID": "it"}}
    words = ("-c", TELLS_ALL, "a", "b\udcff")
    started = run(sys.executable, *words, **told)
    forked = run(*PYTHON, *words, **told)
    assert forked.stdout == started.stdout != ""
    assert forked.stderr == started.stderr == "bad\n"


@BOTH
@pytest.mark.parametrize("code", ENDS)
def test_it_ends_as_it_ends(python: tuple[str, ...], code: str) -> None:
    done = run(*python, "-c", code)
    assert (done.returncode, done.stdout + done.stderr) == ENDS[code]


@BOTH
def test_an_error_is_told(python: tuple[str, ...]) -> None:
    done = run(*python, "-c", "1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@BOTH
def test_a_module_is_run_by_its_name(python: tuple[str, ...]) -> None:
    done = run(*python, "-m", "worker", "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "weir")


@BOTH
def test_signals_reach_it(python: tuple[str, ...]) -> None:
    code = "try: print('here', flush=True); input()\nexcept KeyboardInterrupt: print('caught')"
    command = [*python, "-c", code]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "caught\n"
    assert process.returncode == 0


def test_it_dies_with_its_stand_in_or_just_before() -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(100)"
    for how in (signal.SIGKILL, KILL):
        with subprocess.Popen([*PYTHON, "-c", code], stdout=-1) as process:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            process.send_signal(how)
            assert process.wait() == -signal.SIGKILL
            if how == KILL:
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)
            assert process.stdout.read() == b"", "nobody holds its output any more"


def test_what_it_needs_is_there_and_has_not_been_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import worker.pipeline, celery.bin.worker, torch\n"
        "print(set(sys.modules) == before, torch.is_grad_enabled())"
    )
    assert run(*PYTHON, "-c", code).stdout == "True True\n"
