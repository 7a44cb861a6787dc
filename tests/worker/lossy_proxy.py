"""A TCP proxy in front of a Redis server that can lose a reply: the command was carried out, and
its sender cannot know."""

from __future__ import annotations

import contextlib
import socket
import threading


class LossyProxy:
    """Passes everything on, but for the replies that it is told to lose."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._num_to_lose = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    @property
    def num_to_lose(self) -> int:
        return self._num_to_lose

    def lose_next_reply(self) -> None:
        """Break the connection instead of delivering the next reply on any of them."""
        self._num_to_lose += 1

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
            self._start(self._pump, client, server, False)
            self._start(self._pump, server, client, True)

    def _pump(self, source: socket.socket, target: socket.socket, are_replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if are_replies and self._num_to_lose > 0:
                    self._num_to_lose -= 1
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
