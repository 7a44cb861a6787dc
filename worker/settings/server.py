"""What it takes to connect to a server, put together from all that is set about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.settings.address import Kind

Place = tuple[str, int]  # host and port


@dataclass(frozen=True)
class Server:
    """url: as redis-py reads one, with the password and all of TLS. Where to connect to it says
    only of a single server; else `hosts` are sentinels, who know the server by the name `primary`
    and speak TLS if it does, or nodes of a cluster, some or all."""

    url: str = field(repr=False)
    kind: Kind = "single"
    hosts: tuple[Place, ...] = ()
    primary: str = ""
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
