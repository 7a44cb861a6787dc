"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply."""

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from worker.config import Settings

_REPLY_SECONDS = 5.0


def connect(settings: Settings) -> Redis:
    """For commands that answer at once. redis-py repeats them when a reply is lost, so send only
    commands that may be repeated."""
    return Redis.from_url(
        settings.broker_url,
        protocol=2,
        socket_timeout=_REPLY_SECONDS,
        retry=Retry(ExponentialBackoff(base=0.05, cap=0.5), 3),
    )


def connect_blocking(settings: Settings, block_seconds: float) -> Redis:
    """For reads that may block for up to `block_seconds`. Never repeats anything by itself."""
    return Redis.from_url(
        settings.broker_url,
        protocol=2,
        socket_timeout=block_seconds + _REPLY_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
