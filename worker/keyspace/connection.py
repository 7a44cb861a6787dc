"""Connections to Redis, made in one way: bytes in and out, RESP2, a bounded wait for each reply.

A server that speaks no TLS waits for the end of a line when it gets a handshake, and says nothing.
So the handshake has a time of its own, and is not tried again at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from redis import Connection, ConnectionPool, Redis, SSLConnection
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from worker.keyspace.cluster import Cluster
from worker.keyspace.sentinels import OfPrimary, Sentinels
from worker.settings.config import Settings
from worker.settings.server import Server

REPLY_SECONDS = 5.0
HANDSHAKE_SECONDS = 3.0
SENTINEL_SECONDS = 1.0  # the next one may know as well

_NEVER = Retry(NoBackoff(), 0)
_Result = TypeVar("_Result")


class HandshakeTimeout(RedisTimeoutError):
    """Nobody answered in TLS: the server hangs, or speaks another way."""


def connect(settings: Settings, *, waits_once: bool = False) -> Redis:
    """For commands that answer at once. redis-py repeats them when a reply is lost, so send only
    commands that may be repeated. waits_once: not when there was none in time, for a caller who
    tries again by itself and has other things to see to meanwhile."""
    lost = (RedisConnectionError,) if waits_once else (RedisConnectionError, RedisTimeoutError)
    repeats = _Repeats(ExponentialBackoff(base=0.05, cap=0.5), 3, supported_errors=lost)
    return _client(settings.server, REPLY_SECONDS, repeats)


def connect_briefly(settings: Settings, reply_seconds: float) -> Redis:
    """For whoever must say soon that there is no answer. Never repeats anything by itself."""
    return _client(settings.server, reply_seconds, _NEVER)


def connect_blocking(settings: Settings, block_seconds: float) -> Redis:
    """For reads that may block for up to `block_seconds`. Never repeats anything by itself."""
    return _client(settings.server, block_seconds + REPLY_SECONDS, _NEVER)


def connect_broker(settings: Settings) -> Redis:
    """For a look at the server of Celery's messages. Never repeats anything by itself."""
    return _client(settings.broker, REPLY_SECONDS, _NEVER)


def pool_options(server: Server, block_seconds: float) -> dict[str, Any]:
    """What redis-py's pool is made with for connections that read as `connect_blocking` says:
    Celery's too, which makes its own."""
    return _options(server, block_seconds + REPLY_SECONDS, _NEVER)


def _client(server: Server, timeout_seconds: float, retry: Retry) -> Redis:
    options = _options(server, timeout_seconds, retry)
    if server.kind == "cluster":
        return Cluster(server.hosts, options)
    return Redis(connection_pool=ConnectionPool(**options))


def _options(server: Server, timeout_seconds: float, retry: Retry) -> dict[str, Any]:
    pool = ConnectionPool.from_url(
        server.url, protocol=2, socket_timeout=timeout_seconds, retry=retry
    )
    kind = pool.connection_class
    kind = _PunctualTls if kind is SSLConnection else kind
    options = {"db": 0} | pool.connection_kwargs | {"connection_class": kind}
    if server.kind != "sentinels":
        return options
    kind = _PunctualTlsOfPrimary if kind is _PunctualTls else _OfPrimary
    return options | {"connection_class": kind, "sentinels": _sentinels(server, options)}


def _sentinels(server: Server, options: Mapping[str, Any]) -> Sentinels:
    """They are spoken to as the server is, but have a password of their own, or none."""
    theirs = {**options, "db": 0, "socket_timeout": SENTINEL_SECONDS, "retry": _NEVER}
    theirs |= {"username": server.sentinel_user, "password": server.sentinel_password}
    each = [theirs | {"host": host, "port": port} for host, port in server.hosts]
    return Sentinels(server.primary, each)


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


class _OfPrimary(OfPrimary, Connection):
    pass


class _PunctualTlsOfPrimary(OfPrimary, _PunctualTls):
    pass


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
