"""`weir demo` as people run it: with a real server, a real worker and a real model."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

import psutil
import pytest

TALK = [
    ("Marit", "Good morning. We have two things to decide today, the gate and the pumps."),
    ("Ruben", "gate two is stuck at forty percent but it comes down clean"),
    ("Tomas", "Then we lose fifteen centimetres at the bridge. I don't like that."),
    ("Ruben", "i need a jack and two strong people who do as they're told"),
    ("Odile", "The quarry has a jack. I'll ring Sheila, and she'll bring it at half past seven."),
    ("Tomas", "I've ordered a third pump from Castell, and it comes on Friday at noon."),
    ("Marit", "Decided: the gate is lifted at four on Friday, whatever happens. Thank you all."),
]


LEAVE_SCREEN, SHOW_CURSOR = "\x1b[?1049l", "\x1b[?25h"

# A terminal sends Ctrl-C to the processes that it controls, and only those.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Terminal:
    """The far end of a pseudo-terminal of 100 x 30."""

    def __init__(self, number: int):
        self._number = number
        fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._number, keys.encode())

    def read_until(self, text: str) -> str:
        """What is shown from now on until `text` is."""
        shown = b""
        while text not in shown.decode(errors="replace"):
            ready, _, _ = select.select([self._number], [], [], 60)
            assert ready, f"{text!r} was not shown, but {shown[-2000:]!r}"
            shown += os.read(self._number, 65536)
        return shown.decode(errors="replace")


class Demo:
    """Starts `weir demo` with temporary files of its own, and finds what it leaves behind."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._mark = uuid.uuid4().hex
        self._running: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "worker", "demo", *arguments]
        self._start(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)

    def _start(self, command: list[str], **streams: int) -> None:
        ours = {"OMP_NUM_THREADS": "1", "WEIR_NUM_THREADS": "1", "TERM": "xterm-256color"}
        ours |= {"WEIR_MODEL": "bundled"}  # what needs no network
        self._running = subprocess.Popen(
            command,
            env={**os.environ, **ours, "TMPDIR": str(self.folder), "DEMO_MARK": self._mark},
            text=True,
            start_new_session=True,
            **streams,
        )

    @contextmanager
    def start_in_terminal(self, *arguments: str) -> Iterator[Terminal]:
        near, far = os.openpty()
        try:
            self._start(
                [sys.executable, "-c", TAKE_TERMINAL, "-m", "worker", "demo", *arguments],
                stdin=far,
                stdout=far,
                stderr=far,
            )
            os.close(far)
            yield Terminal(near)
        finally:
            os.close(near)

    def finish(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        assert self._running is not None
        out, err = self._running.communicate(timeout=100)
        return self._running.returncode, out, err

    def processes(self) -> list[psutil.Process]:
        return [one for one in psutil.process_iter() if self._is_ours(one)]

    def files(self) -> list[str]:
        """Temporary files of ours; torch leaves a cache of its own there."""
        return sorted(path.name for path in self.folder.glob("weir-*"))

    def close(self) -> None:
        for process in self.processes():
            process.kill()
        if self._running is not None:
            self._running.communicate()

    def _is_ours(self, process: psutil.Process) -> bool:
        """Python keeps the environment that it got; the server works in its temporary folder."""
        try:
            if process.cwd().startswith(str(self.folder)):
                return True
            return process.environ().get("DEMO_MARK") == self._mark
        except psutil.Error:
            return False


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    demo = Demo(folder)
    yield demo
    demo.close()


@pytest.fixture
def short_talk(tmp_path: Path) -> str:
    path = tmp_path / "talk.jsonl"
    rows = [json.dumps({"speaker": speaker, "text": text}) for speaker, text in TALK]
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


def letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def test_demo_plays_a_talk_and_accounts_for_all_of_it(demo: Demo, short_talk: str) -> None:
    demo.start("--plain", "--speed", "max", "--streams", "2", "--file", short_talk)
    code, out, err = demo.finish()
    assert (code, err) == (0, "")
    spoken = [letters(line) for line in out.splitlines()]
    for speaker, text in TALK:
        for stream in ("live:demo", "live:demo-2"):
            assert spoken.count(letters(stream + speaker + text)) == 1
    assert "14 entries in, 14 out" in out
    assert "4 entries restored; every entry accounted for, none twice" in out
    assert "their ranges tile the whole stream without a gap" in out
    assert "redis-cli -p" in out
    assert demo.processes() == []
    assert demo.files() == []


def test_ctrl_c_in_a_terminal_ends_the_live_screen_and_everything_behind_it(demo: Demo) -> None:
    with demo.start_in_terminal("--speed", "5") as terminal:
        terminal.read_until("it's two o'clock")
        assert len(demo.processes()) >= 3  # the demo, the server, the worker
        terminal.type("\x03")
        shown = terminal.read_until("ended early")
        code, _out, _err = demo.finish()
    assert code == 130
    assert LEAVE_SCREEN in shown
    assert SHOW_CURSOR in shown
    assert demo.processes() == []
    assert demo.files() == []


def test_a_worker_that_cannot_start_is_reported_with_its_log(demo: Demo, tmp_path: Path) -> None:
    demo.start("--plain", "--model", str(tmp_path / "no-model-here"))
    code, _out, err = demo.finish()
    assert code == 1
    assert "weir demo: the worker ended with exit code" in err
    assert "no-model-here" in err
    assert demo.processes() == []
    [log] = demo.files()
    assert log in err


def test_a_bad_file_is_refused_before_anything_starts(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "Yes."}\n{"text": ""}\n')
    demo.start("--plain", "--file", str(tmp_path / "bad.jsonl"))
    code, out, err = demo.finish()
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "line 2: no text" in err
