"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply."""

from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from worker.settings.config import Settings

REPLY_SECONDS = 5.0


def connect(settings: Settings) -> Redis:
    """For commands that answer at once. redis-py repeats them when a reply is lost, so send only
    commands that may be repeated."""
    return Redis.from_url(
        settings.server_url,
        protocol=2,
        socket_timeout=REPLY_SECONDS,
        retry=Retry(ExponentialBackoff(base=0.05, cap=0.5), 3),
    )


def connect_blocking(settings: Settings, block_seconds: float) -> Redis:
    """For reads that may block for up to `block_seconds`. Never repeats anything by itself."""
    return Redis(connection_pool=ConnectionPool(**pool_options(settings.server_url, block_seconds)))


def pool_options(server_url: str, block_seconds: float) -> dict[str, Any]:
    """What redis-py's pool is made with for connections that read as `connect_blocking` says:
    Celery's too, which makes its own."""
    pool = ConnectionPool.from_url(
        server_url,
        protocol=2,
        socket_timeout=block_seconds + REPLY_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    options = {"db": 0} | pool.connection_kwargs
    return options | {"connection_class": pool.connection_class}
