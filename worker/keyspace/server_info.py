"""How the server is doing, by its own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.keyspace.cluster import nodes


@dataclass(frozen=True)
class ServerFigures:
    """A moment of it; the two totals begin anew when the server does."""

    used_bytes: int
    most_bytes: int  # maxmemory; 0: no limit
    num_clients: int
    num_commands: int
    num_evicted_keys: int
    writes_to_disk: bool  # the last write of its files went well


def is_cluster(redis: Redis) -> bool:
    """Whether it is a node of a Redis Cluster, be it the only one. Raises redis' errors."""
    return bool(redis.info("cluster").get("cluster_enabled"))


def server_figures(redis: Redis) -> ServerFigures:
    """Of a cluster: of all its primaries together. Raises redis' errors."""
    wanted = ("memory", "clients", "stats", "persistence")
    infos = [node.info(*wanted) for node in nodes(redis).values()]
    limits = [int(info["maxmemory"]) for info in infos]

    def total(name: str) -> int:
        return sum(int(info[name]) for info in infos)

    return ServerFigures(
        used_bytes=total("used_memory"),
        most_bytes=sum(limits) if all(limits) else 0,
        num_clients=total("connected_clients"),
        num_commands=total("total_commands_processed"),
        num_evicted_keys=total("evicted_keys"),
        writes_to_disk=all(map(_writes_to_disk, infos)),
    )


def _writes_to_disk(info: Mapping[str, Any]) -> bool:
    written = (info.get("aof_last_write_status", "ok"), info.get("rdb_last_bgsave_status", "ok"))
    return written == ("ok", "ok")
