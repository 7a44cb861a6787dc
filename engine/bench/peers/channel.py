"""Our end of the line to a peer: one process, one JSON object a line in each direction."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from engine.bench.peers.environment import PeerLost

ROOT = Path(__file__).parents[3]
LONGEST_LAST_WORDS = 2_000
# Our folder comes last on the peer's path: it may hold other versions of what the peer has.
LAUNCH = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


class Peer:
    """A process that does what it is asked, one thing at a time."""

    def __init__(self, name: str, process: subprocess.Popen[str], errors: Path) -> None:
        self.name = name
        self._process = process
        self._errors = errors

    def ask(self, do: str, **arguments: Any) -> Any:
        """The peer's answer; PeerLost if it fails at this, or is gone."""
        stdin, stdout = _pipes(self._process)
        try:
            stdin.write(json.dumps({"do": do, "with": arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
            reply = json.loads(line) if line else {"error": self._last_words()}
        except (OSError, ValueError) as error:
            raise PeerLost(self.name, f"{do}: {self._last_words()}") from error
        if "error" in reply:
            raise PeerLost(self.name, f"{do}: {reply['error']}")
        return reply["answer"]

    def _last_words(self) -> str:
        text = self._errors.read_text(errors="replace")[-LONGEST_LAST_WORDS:].strip()
        return f"it ended. {text.splitlines()[-1]}" if text else "it ended without a word"


@contextmanager
def open_peer(
    name: str, python: Path, module: str, arguments: Mapping[str, Any], *, num_threads: int
) -> Iterator[Peer]:
    """A peer that runs `module` on `python` with as many threads as all participants have."""
    threads = {"OMP_NUM_THREADS": str(num_threads), "MKL_NUM_THREADS": str(num_threads)}
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "stderr.txt"
        with errors.open("w") as stderr:
            process = subprocess.Popen(  # noqa: S603
                [str(python), "-I", "-c", LAUNCH, str(ROOT), module, json.dumps(arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, **threads},
            )
        try:
            yield Peer(name, process, errors)
        finally:
            _end(process)


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """What is written to the peer, and what it writes."""
    return cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)


def _end(process: subprocess.Popen[str]) -> None:
    """A peer ends when its input does; one that does not is stopped."""
    for pipe in _pipes(process):
        # A peer that is gone already has left its last request in the pipe.
        with suppress(BrokenPipeError):
            pipe.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
