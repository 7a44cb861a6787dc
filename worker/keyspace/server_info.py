"""How the server is doing, by its own account."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis


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
    """Raises redis' errors."""
    info = redis.info("memory", "clients", "stats", "persistence")
    written = (info.get("aof_last_write_status", "ok"), info.get("rdb_last_bgsave_status", "ok"))
    return ServerFigures(
        used_bytes=int(info["used_memory"]),
        most_bytes=int(info["maxmemory"]),
        num_clients=int(info["connected_clients"]),
        num_commands=int(info["total_commands_processed"]),
        num_evicted_keys=int(info["evicted_keys"]),
        writes_to_disk=written == ("ok", "ok"),
    )
