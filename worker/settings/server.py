"""What it takes to connect to a server, put together from all that is set about it."""

from __future__ import annotations

from dataclasses import dataclass, field

Place = tuple[str, int]  # host and port


@dataclass(frozen=True)
class Server:
    """url: as redis-py reads one, with the password and all of TLS; where the server is it says
    only if `sentinels` is empty. They know it by the name `primary`, and speak TLS if it does."""

    url: str = field(repr=False)
    sentinels: tuple[Place, ...] = ()
    primary: str = ""
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
