"""Servers that sentinels watch, all real: one is the primary, and another is when that one dies."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from worker.keyspace.embedded import EmbeddedServer

NAME = "mymaster"
DOWN_MS = 300
PATIENCE_SECONDS = 30.0


class Sentinel(EmbeddedServer):
    """Watches one server, perhaps with others: `quorum` of them must agree that it is dead."""

    def __init__(self, port: int, *, quorum: int = 1, password: str = "", theirs: str = "") -> None:
        """port: the server's; password: the sentinels'; theirs: the servers'."""
        super().__init__()
        self._lines = [
            f"sentinel monitor {NAME} 127.0.0.1 {port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 1500",
        ]
        if theirs:
            self._lines.append(f"sentinel auth-pass {NAME} {theirs}")
        if password:
            self._lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
        self._password = password

    def ask(self, *words: str | int) -> Any:
        with client(self.port, self._password) as sentinel:
            return sentinel.execute_command("SENTINEL", *words)

    def watch(self, port: int) -> None:
        """Another server than until now."""
        self.ask("REMOVE", NAME)
        self.ask("MONITOR", NAME, "127.0.0.1", port, 1)

    def primary_port(self) -> int:
        return int(self.ask("GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def num_known(self) -> tuple[int, int]:
        """Replicas, and other sentinels."""
        return len(self.ask("REPLICAS", NAME)), len(self.ask("SENTINELS", NAME))

    def _arguments(self, folder: Path) -> list[str]:
        file = folder / "sentinel.conf"
        file.write_text("\n".join(self._lines))
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        return [str(file), "--sentinel", *address]

    def _is_ours(self, folder: Path) -> bool:
        try:
            with client(self.port, self._password) as sentinel:
                return str(folder) in sentinel.info("server")["config_file"]
        except RedisError:
            return False


class Watched:
    """A primary, a replica of it, and three sentinels, until the end of a `with` block."""

    def __init__(self, *, password: str = "", sentinel_password: str = "") -> None:
        self._password = password
        self._sentinel_password = sentinel_password
        self.servers: dict[int, EmbeddedServer] = {}
        self.sentinels: list[Sentinel] = []
        self._stack = ExitStack()

    def __enter__(self) -> Watched:
        options = ("--repl-diskless-sync-delay", "0")
        first, second = (
            self._stack.enter_context(EmbeddedServer(options=options)) for _ in range(2)
        )
        self.servers = {first.port: first, second.port: second}
        with client(second.port) as replica:
            replica.replicaof("127.0.0.1", first.port)
            until(lambda: replica.info("replication")["master_link_status"] == "up")
        for port in self.servers:
            with client(port) as server:
                server.config_set("masterauth", self._password)
                server.config_set("requirepass", self._password)
        for _ in range(3):
            sentinel = Sentinel(
                first.port, quorum=2, password=self._sentinel_password, theirs=self._password
            )
            self.sentinels.append(self._stack.enter_context(sentinel))
        until(lambda: all(one.num_known() == (1, 2) for one in self.sentinels))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"sentinel://{hosts}/{NAME}/0"

    @property
    def primary(self) -> EmbeddedServer:
        return self.servers[self.sentinels[0].primary_port()]

    @property
    def replica(self) -> EmbeddedServer:
        return next(server for server in self.servers.values() if server is not self.primary)

    def client(self, server: EmbeddedServer) -> Redis:
        return client(server.port, self._password)


def client(port: int, password: str = "") -> Redis:
    """One that follows nobody and repeats nothing."""
    return Redis(
        port=port,
        password=password or None,
        protocol=2,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)
