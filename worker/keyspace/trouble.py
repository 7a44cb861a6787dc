"""What an error of Redis' means: whether it passes by itself, and what to tell a person."""

from __future__ import annotations

import socket
import ssl
from typing import TypeVar

from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.keyspace.sentinels import NoPrimary
from worker.settings import address

_Error = TypeVar("_Error", bound=BaseException)

# Of a server that is full, read-only, failing over or saving: it will answer otherwise soon.
_PASSING = ("OOM", "READONLY", "UNBLOCKED", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN")
# And of nodes while slots move among them.
_PASSING_KINDS = (ReadOnlyError, MasterDownError, ClusterDownError, AskError, TryAgainError)
_BEFORE_THE_SERVER_S_WORDS = " of pipeline caused error: "  # redis-py says which command it was
_FOR_ANOTHER_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and ..._IP_ADDRESS_MISMATCH
_PROBE_SECONDS = 2.0
_SCHEMES = {
    "single": ("redis:// (or valkey://)", "rediss:// (or valkeys://)"),
    "sentinels": ("sentinel://", "sentinels://"),
    "cluster": ("cluster://", "clusters://"),
}
_TLS_ALERT = "\\x15\\x03"  # as redis-py shows the first bytes of a reply that is none


def is_passing(error: Exception) -> bool:
    """Whether the same command may succeed later with nothing changed on our side."""
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, RedisConnectionError | RedisTimeoutError | OutOfMemoryError):
        return True
    if isinstance(error, _PASSING_KINDS):  # redis-py takes the code off these messages
        return True
    return isinstance(error, ResponseError) and server_words(error).startswith(_PASSING)


def is_of_one_stream(error: object) -> bool:
    """Whether a node has some of a stream's keys, and another the rest: the others can go on."""
    return isinstance(error, TryAgainError)


def is_silence(error: Exception) -> bool:
    """Whether there was no answer at all: whatever is asked next waits in vain just as long. So it
    does when a cluster has lost a node."""
    return isinstance(error, RedisConnectionError | RedisTimeoutError | ClusterDownError)


def server_words(error: Exception) -> str:
    """What the server said, without what redis-py says about where."""
    return str(error).rpartition(_BEFORE_THE_SERVER_S_WORDS)[2]


def trouble_line(url: str, error: Exception) -> str:
    """What to tell a person whose command could not reach the server, or was refused by it."""
    return setup_line(url, error) or _passing_line(url, error)


def setup_line(url: str, error: Exception) -> str | None:
    """The line for what no waiting mends: who we say that we are, or how we speak. None if it is
    something else. May ask the server whether it speaks TLS."""
    where = address.place(url)
    if no_primary := _first(error, NoPrimary):
        if no_primary.todo:
            return no_primary.todo
    elif _is_unwelcome(error):
        return _unwelcome_line(where, url, error)
    if untrusted := _first(error, ssl.SSLCertVerificationError):
        return _untrusted_line(where, untrusted)
    if isinstance(error, MovedError | ClusterCrossSlotError) and not address.is_of_cluster(url):
        return cluster_line(url)
    if "cluster support disabled" in str(error):
        return f"{where} is no node of a Redis Cluster: begin WEIR_REDIS_URL with redis://"
    if not _is_hanging_up(error):
        return None
    plain, tls = _SCHEMES[address.kind(url)]
    if address.uses_tls(url) and _answers(url):
        return f"{where} does not speak TLS: begin WEIR_REDIS_URL with {plain}"
    if not address.uses_tls(url) and _speaks_tls(url):
        return f"{where} speaks TLS: begin WEIR_REDIS_URL with {tls}"
    return None


def cluster_line(url: str) -> str:
    """What to do about a server that is a node of a cluster, and was not taken for one."""
    where = address.place(url)
    return (
        f"{where} is a node of a Redis Cluster: begin WEIR_REDIS_URL with cluster:// (clusters:// "
        "for TLS); Celery's messages need a server that is none, in WEIR_BROKER_URL"
    )


def _passing_line(url: str, error: Exception) -> str:
    where = address.place(url)
    if _first(error, ssl.SSLError):
        return (
            f"{where} ends the TLS handshake: {error}; it may want a certificate of ours: set "
            "WEIR_REDIS_CERT_FILE and WEIR_REDIS_KEY_FILE"
        )
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return (
            f"no Redis answers at {where}: start one, or set WEIR_REDIS_URL (--redis-url); "
            "`weir demo` brings its own"
        )
    return f"{where} says: {error}"


def _is_unwelcome(error: Exception) -> bool:
    return isinstance(error, AuthenticationError) or str(error).startswith("NOAUTH")


def _unwelcome_line(where: str, url: str, error: Exception) -> str:
    """The server does not tell a wrong password from a user that it does not know."""
    user = address.user(url)
    said = str(error)
    if "without any password configured" in said:
        return f"{where} has no password: leave WEIR_REDIS_PASSWORD and the like out"
    if said.startswith("NOAUTH") or "required" in said:
        return f"{where} wants a password: set WEIR_REDIS_PASSWORD or WEIR_REDIS_PASSWORD_FILE"
    who = f"it has no user {user!r}, or that user another password" if user else "it is another"
    return (
        f"{where} refuses the password: {who}; set WEIR_REDIS_PASSWORD or WEIR_REDIS_PASSWORD_FILE"
        ", and the user in WEIR_REDIS_URL, as in redis://USER@HOST"
    )


def _untrusted_line(where: str, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _FOR_ANOTHER_NAME:
        todo = "use the name in it, or set WEIR_REDIS_CHECK_HOSTNAME=false"
    else:
        todo = "name the certificate of who vouches for it in WEIR_REDIS_CA_FILE"
    return f"{where} shows a certificate that is not trusted ({error.verify_message}): {todo}"


def _is_hanging_up(error: Exception) -> bool:
    """Who expects the other manner of speaking answers with an alert, or with nothing."""
    if isinstance(error, InvalidResponse):
        return _TLS_ALERT in str(error)
    is_refused = _first(error, ConnectionRefusedError) or _first(error, socket.gaierror)
    return isinstance(error, RedisConnectionError | RedisTimeoutError) and not is_refused


def _answers(url: str) -> bool:
    """Whether a command without TLS is answered, be it with a refusal. It holds no secret."""
    try:
        with _dial(url) as server:
            server.sendall(b"PING\r\n")
            return server.recv(1) in (b"+", b"-")
    except OSError:
        return False


def _speaks_tls(url: str) -> bool:
    """Whether a handshake gets anywhere. Nothing of ours is sent in it, so nobody is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _dial(url) as server, context.wrap_socket(server):
            return True
    except ssl.SSLError as error:
        # An alert is an answer in TLS, to somebody who is not welcome.
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _dial(url: str) -> socket.socket:
    host, port = address.hosts_and_ports(url)[0]
    if not host:
        raise OSError("a socket's file has one manner of speaking")
    return socket.create_connection((host, port), _PROBE_SECONDS)


def _first(error: BaseException | None, kind: type[_Error]) -> _Error | None:
    """The error itself or what it came from, if that is of this kind."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error
