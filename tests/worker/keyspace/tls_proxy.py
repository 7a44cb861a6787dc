"""A server that speaks TLS: a proxy in front of one that does not, which writes down what it reads.

The embedded server itself may have been built without TLS.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import trustme


class Authority:
    """Who vouches for servers and clients; `file` holds its certificate."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def server_context(
        self, name: str = "127.0.0.1", *, asks_clients: bool = False
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name).configure_cert(context)
        if asks_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def client_files(self) -> tuple[Path, Path]:
        """A client's certificate and its key."""
        issued = self._ca.issue_cert("client@example.org")
        certificate, key = self._folder / "client.pem", self._folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key


class TlsProxy:
    """Listens until `close`; `context` may be changed meanwhile, for connections to come."""

    def __init__(self, server_port: int, context: ssl.SSLContext) -> None:
        self.context = context
        self.read = b""  # what clients sent, as a thief would read it
        self.num_refused = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme: str = "rediss", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/0"

    def drop_all(self) -> None:
        """End every connection that there is."""
        while self._sockets:
            _close(self._sockets.pop())

    def close(self) -> None:
        _close(self._listener)
        self.drop_all()

    def __enter__(self) -> TlsProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            client = self.context.wrap_socket(plain, server_side=True)
        except OSError:
            self.num_refused += 1
            _close(plain)
            return
        server = socket.create_connection(("127.0.0.1", self._server_port))
        self._sockets += [client, server]
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server, notes=True)

    def _pump(self, source: socket.socket, target: socket.socket, *, notes: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if notes:
                    self.read += data
                target.sendall(data)
        _close(source)
        _close(target)


def _close(one: socket.socket) -> None:
    # shutdown wakes a thread that waits in accept or recv; close alone does not.
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
