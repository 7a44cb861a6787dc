"""A TCP proxy in front of a Redis server that can lose a request or a reply: its sender cannot know
which, and so not whether the command was carried out."""

from __future__ import annotations

import contextlib
import socket
import threading


class LossyProxy:
    """Passes everything on, but for what it is told to lose.

    A new connection begins with requests and replies of its own: make one (`ping`) before.
    """

    def __init__(self, server_port: int, listener: socket.socket | None = None) -> None:
        self._server_port = server_port
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._to_lose: list[str] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    @property
    def has_lost_all(self) -> bool:
        """Whether nothing is left to lose."""
        return not self._to_lose

    def lose_next(self, what: str) -> None:
        """Break the connection instead of delivering the next "request" or "reply" on any."""
        self._to_lose.append(what)

    def close(self) -> None:
        for one in [self._listener, *self._sockets]:
            _close(one)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            self._start(self._pump, client, server, "request")
            self._start(self._pump, server, client, "reply")

    def _pump(self, source: socket.socket, target: socket.socket, what: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if what in self._to_lose:
                    self._to_lose.remove(what)
                    break
                target.sendall(data)
        _close(source)
        _close(target)

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


def _close(one: socket.socket) -> None:
    # shutdown wakes a thread that waits in accept or recv; close alone does not.
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
