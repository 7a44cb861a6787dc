"""Somebody who types what the pages say: a shell, a folder like the repository's root, a server."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ops.docs import ROOT
from tests.docs.blocks import Block
from tests.forks import PYTHON
from worker.cli import main

PATIENCE_SECONDS = 120.0
_NEEDS_TORCH = re.compile(r"weir (?:chat|eval) [^|<>;&$`]+")
_PROGRAMS = {"weir": "worker", "redis-cli": "tests.docs.redis_cli"}


def _weir(line: str) -> None:
    code = main(shlex.split(line, comments=True)[1:])
    assert code == 0, f"exit code {code}"


class Reader:
    """Runs blocks one after the other, in one folder; what keeps running ends with the reader."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._address = f"127.0.0.1:{port}"
        self._log = folder / "background.log"
        self._background: list[tuple[Block, subprocess.Popen[str]]] = []
        self._lay_out()

    def run(self, block: Block) -> str | None:
        """None if all went well; else what a person would have seen."""
        block = replace(block, text=block.text.replace("127.0.0.1:6379", self._address))
        before, _, last = block.text.rstrip("\n").rpartition("\n")
        if block.language == "python":
            return self._run_here(block, lambda: exec(block.text, {}))  # noqa: S102
        if _NEEDS_TORCH.fullmatch(last):
            said = self.run(replace(block, text=before)) if before else None
            return said or self._run_here(block, lambda: _weir(last))
        if block.marker == "keeps running":
            with self._log.open("a") as log:
                self._background.append((block, self._start(block, stdout=log)))
            return None
        process = self._start(block, stdout=subprocess.PIPE)
        try:
            out, _ = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out = process.communicate()[0] + f"\n... and still nothing after {PATIENCE_SECONDS} s"
        return (
            f"{block.place}: exit code {process.returncode}\n{out}" if process.returncode else None
        )

    def ended_early(self) -> list[str]:
        """What should keep running and does not."""
        gone = [block for block, process in self._background if process.poll() is not None]
        return [f"{block.place}: ended by itself\n{self._log.read_text()}" for block in gone]

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        for _, process in self._background:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for _, process in self._background:
            process.wait(PATIENCE_SECONDS)

    def _lay_out(self) -> None:
        """The repository's root, but for what is written there: caches and passwords."""
        for path in ROOT.iterdir():
            if not path.name.startswith(".") and path.name != "ops":
                (self.folder / path.name).symlink_to(path)
        (self.folder / "ops" / "secrets").mkdir(parents=True)
        programs = self.folder / "bin"
        programs.mkdir()
        for name, module in _PROGRAMS.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(PYTHON)} -m {module} "$@"\n')
            program.chmod(0o755)

    def _run_here(self, block: Block, run: Callable[[], object]) -> str | None:
        """In this process, which has loaded torch already: a new one takes seconds for that."""
        root = Path.cwd()
        os.chdir(self.folder)
        try:
            run()
        except BaseException:  # a command ends by SystemExit
            return f"{block.place}\n{traceback.format_exc()}"
        finally:
            os.chdir(root)
        return None

    def _start(self, block: Block, *, stdout: object) -> subprocess.Popen[str]:
        path = os.pathsep.join(
            [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        return subprocess.Popen(
            ["sh", "-euc", block.text],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": path,
                "PYTHONPATH": str(ROOT),
                "WEIR_REDIS_URL": f"redis://{self._address}/0",
                "WEIR_METRICS_PORT": "0",
                "WEIR_DISCOVER_SECONDS": "0.2",
            },
            stdin=subprocess.DEVNULL,
            stdout=stdout,  # type: ignore[arg-type]
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
