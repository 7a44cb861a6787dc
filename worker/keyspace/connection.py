"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply.

A server that speaks no TLS waits for the end of a line when it gets a handshake, and says nothing.
So the handshake has a time of its own, and is not tried again at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from redis import ConnectionPool, Redis, SSLConnection
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.settings.config import Settings

REPLY_SECONDS = 5.0
HANDSHAKE_SECONDS = 3.0

_Result = TypeVar("_Result")


class HandshakeTimeout(RedisTimeoutError):
    """Nobody answered in TLS: the server hangs, or speaks another way."""


def connect(settings: Settings, *, waits_once: bool = False) -> Redis:
    """For commands that answer at once. redis-py repeats them when a reply is lost, so send only
    commands that may be repeated. waits_once: not when there was none in time, for a caller who
    tries again by itself and has other things to see to meanwhile."""
    lost = (RedisConnectionError,) if waits_once else (RedisConnectionError, RedisTimeoutError)
    repeats = _Repeats(ExponentialBackoff(base=0.05, cap=0.5), 3, supported_errors=lost)
    options = _options(settings.server_url, REPLY_SECONDS, repeats)
    return Redis(connection_pool=ConnectionPool(**options))


def connect_briefly(settings: Settings, reply_seconds: float) -> Redis:
    """For whoever must say soon that there is no answer. Never repeats anything by itself."""
    options = _options(settings.server_url, reply_seconds, Retry(NoBackoff(), 0))
    return Redis(connection_pool=ConnectionPool(**options))


def connect_blocking(settings: Settings, block_seconds: float) -> Redis:
    """For reads that may block for up to `block_seconds`. Never repeats anything by itself."""
    return Redis(connection_pool=ConnectionPool(**pool_options(settings.server_url, block_seconds)))


def pool_options(server_url: str, block_seconds: float) -> dict[str, Any]:
    """What redis-py's pool is made with for connections that read as `connect_blocking` says:
    Celery's too, which makes its own."""
    return _options(server_url, block_seconds + REPLY_SECONDS, Retry(NoBackoff(), 0))


def _options(server_url: str, timeout_seconds: float, retry: Retry) -> dict[str, Any]:
    pool = ConnectionPool.from_url(
        server_url, protocol=2, socket_timeout=timeout_seconds, retry=retry
    )
    kind = pool.connection_class
    options = {"db": 0} | pool.connection_kwargs
    return options | {"connection_class": _PunctualTls if kind is SSLConnection else kind}


class _PunctualTls(SSLConnection):
    def _wrap_socket_with_ssl(self, sock: socket.socket) -> Any:
        patience = sock.gettimeout()
        sock.settimeout(HANDSHAKE_SECONDS)
        try:
            wrapped = super()._wrap_socket_with_ssl(sock)  # type: ignore[no-untyped-call]
        except TimeoutError:
            what = f"no answer to a TLS handshake in {HANDSHAKE_SECONDS:g} s"
            raise HandshakeTimeout(what) from None
        wrapped.settimeout(patience)
        return wrapped


class _Repeats(Retry):
    """Those of redis-py, but for handshakes that nobody answered."""

    def call_with_retry(
        self, do: Callable[[], _Result], fail: Callable[..., Any], *args: Any, **options: Any
    ) -> _Result:
        try:
            return super().call_with_retry(partial(_once, do), fail, *args, **options)
        except _NotAgain as not_again:
            raise not_again.why from None


class _NotAgain(Exception):
    def __init__(self, why: HandshakeTimeout) -> None:
        super().__init__(str(why))
        self.why = why


def _once(do: Callable[[], _Result]) -> _Result:
    try:
        return do()
    except HandshakeTimeout as error:
        raise _NotAgain(error) from None
