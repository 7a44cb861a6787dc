"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply."""

from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.settings.config import Settings

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


# Of a server that is full, read-only, failing over or saving: it will answer otherwise soon.
_PASSING = ("OOM", "READONLY", "UNBLOCKED", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")
_BEFORE_THE_SERVER_S_WORDS = " of pipeline caused error: "  # redis-py says which command it was


def is_passing(error: Exception) -> bool:
    """Whether the same command may succeed later with nothing changed on our side."""
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, RedisConnectionError | RedisTimeoutError | OutOfMemoryError):
        return True
    if isinstance(error, ReadOnlyError):  # redis-py takes the code off these messages
        return True
    words = str(error).rpartition(_BEFORE_THE_SERVER_S_WORDS)[2]
    return isinstance(error, ResponseError) and words.startswith(_PASSING)


def no_server_line(settings: Settings, error: RedisError) -> str:
    """What to tell a person whose command could not reach the server, or was refused by it."""
    where = urlsplit(settings.redis_url)
    address = f"{where.hostname}:{where.port or 6379}"
    if isinstance(error, AuthenticationError) or str(error).startswith("NOAUTH"):
        return f"{address} wants a password: set WEIR_REDIS_PASSWORD or WEIR_REDIS_PASSWORD_FILE"
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return (
            f"no Redis answers at {address}: start one, or set WEIR_REDIS_URL (--redis-url); "
            "`weir demo` brings its own"
        )
    return f"{address} says: {error}"
