"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply."""

from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.settings.config import Settings

REPLY_SECONDS = 5.0


def connect(settings: Settings, *, waits_once: bool = False) -> Redis:
    """For commands that answer at once. redis-py repeats them when a reply is lost, so send only
    commands that may be repeated. waits_once: not when there was none in time, for a caller who
    tries again by itself and has other things to see to meanwhile."""
    lost = (RedisConnectionError,) if waits_once else (RedisConnectionError, RedisTimeoutError)
    return Redis.from_url(
        settings.server_url,
        protocol=2,
        socket_timeout=REPLY_SECONDS,
        retry=Retry(ExponentialBackoff(base=0.05, cap=0.5), 3, supported_errors=lost),
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
