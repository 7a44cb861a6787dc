"""What an address may say: one URL, of a server, of sentinels that know it, or of a cluster.

All that a connection needs is in it, TLS included, so that no second place can say otherwise. Pure,
but for reading the files that it names.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

Kind = Literal["single", "sentinels", "cluster"]

PLAIN, TLS, SOCKET = "redis", "rediss", "unix"
SENTINEL, CLUSTER = "sentinel", "cluster"
SCHEMES = {
    **{"redis": PLAIN, "rediss": TLS, "valkey": PLAIN, "valkeys": TLS, "unix": SOCKET},
    **{SENTINEL: PLAIN, "sentinels": TLS, CLUSTER: PLAIN, "clusters": TLS},
}
DEFAULT_PORT, SENTINEL_PORT = 6379, 26379

_EXAMPLE = "redis://127.0.0.1:6379/0"
_EXAMPLES = "sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster/0"

NO_BROKER = (
    "Celery's messages cannot go through a Redis Cluster: a single server will do for them, or one "
    "that Sentinel watches; set WEIR_BROKER_URL to it"
)

_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_VERIFYING = ("required", "optional", "none")


def server_url(url: str) -> str:
    """`url` if it can be used as it stands. ValueError with what would be valid; an address may
    hold a password, so the message repeats no part of it but the names of its options."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(
            "must begin with redis:// or valkey://, rediss:// or valkeys:// for TLS, unix:// for a"
            " socket, sentinel:// or sentinels://, or cluster:// or clusters:// for a Redis Cluster"
            f", as in {_EXAMPLE}"
        )
    for one in _each(url):
        _check_place(one)
    if parts.fragment:
        raise ValueError("must have # written as %23")
    options = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in options:
        _check_option(parts.scheme, name, value)
    _load_tls(dict(options))
    return url


def broker_url(url: str | None) -> str | None:
    """The same of a server that Celery's messages go through."""
    if url is not None and is_of_cluster(url):
        raise ValueError(NO_BROKER)
    return url if url is None else server_url(url)


def _each(url: str) -> list[str]:
    """The address once for each host in it: sentinels and nodes have commas between them."""
    parts = urlsplit(url)
    if not parts.scheme.startswith((SENTINEL, CLUSTER)):
        return [url]
    user, at, hosts = parts.netloc.rpartition("@")
    return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]


def _check_place(url: str) -> None:
    parts = urlsplit(url)
    if SCHEMES[parts.scheme] == SOCKET:
        if parts.hostname or not parts.path.strip("/"):
            raise ValueError("must name the socket's file in full, as in unix:///run/valkey.sock")
        return
    if not parts.hostname:
        raise ValueError(f"must name a server, as in {_EXAMPLE}")
    if "," in parts.hostname:
        raise ValueError("must name one server; begin with sentinel:// or cluster:// for several")
    if is_of_sentinels(url):
        if not re.fullmatch(r"/[^/]+(/\d*)?", parts.path):
            raise ValueError(f"must name the primary, and may name a database, as in {_EXAMPLES}")
    elif is_of_cluster(url):
        if parts.path not in ("", "/", "/0"):
            raise ValueError("must name no database: a Redis Cluster has only one")
    elif not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError(f"must end in a database number, as in {_EXAMPLE}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"must have a port from 0 to 65535, or none for {DEFAULT_PORT}") from None


def full_url(
    url: str, *, password: str | None, files: Mapping[str, Path], check_hostname: bool
) -> str:
    """`url` as redis-py reads it, with all that is set elsewhere: the password, unless the URL has
    one, and for TLS the files by their option's name. Of several hosts it has the first: it says
    how to speak to servers, and only of one where it is. Not for logs."""
    parts = urlsplit(_each(url)[0])
    scheme = SCHEMES[parts.scheme]
    netloc = parts.netloc
    if password is not None and not parts.password:
        user = parts.username or ""
        netloc = f"{user}:{quote(password, safe='')}@{netloc.rpartition('@')[2]}"
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    options.pop("sentinel_user", None)
    if scheme == TLS:
        options |= {name: str(path) for name, path in files.items()}
        if not check_hostname:
            options["ssl_check_hostname"] = "false"
    query = f"?{urlencode(options)}" if options else ""
    path = "/" + "".join(parts.path.split("/")[2:]) if is_of_sentinels(url) else parts.path
    return f"{scheme}://{netloc}{path}{query}"


def place(url: str) -> str:
    """Where the server is, or who knows it, for people to read: no password."""
    parts = urlsplit(url)
    if SCHEMES[parts.scheme] == SOCKET:
        return unquote(parts.path)
    return ", ".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in hosts_and_ports(url))


def shown(url: str) -> str:
    """`url` for logs: without user and password, and with one host."""
    parts = urlsplit(_each(url)[0])
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def hosts_and_ports(url: str) -> list[tuple[str, int]]:
    """Where to connect to, or whom to ask where; the host is "" for a socket's file."""
    default = SENTINEL_PORT if is_of_sentinels(url) else DEFAULT_PORT
    return [(one.hostname or "", one.port or default) for one in map(urlsplit, _each(url))]


def kind(url: str) -> Kind:
    if is_of_sentinels(url):
        return "sentinels"
    return "cluster" if is_of_cluster(url) else "single"


def is_of_sentinels(url: str) -> bool:
    return urlsplit(url).scheme.startswith(SENTINEL)


def is_of_cluster(url: str) -> bool:
    return urlsplit(url).scheme.startswith(CLUSTER)


def primary_name(url: str) -> str:
    """By which sentinels know the server, "" if it has none."""
    return unquote(urlsplit(url).path.split("/")[1]) if is_of_sentinels(url) else ""


def sentinel_user(url: str) -> str | None:
    return dict(parse_qsl(urlsplit(url).query)).get("sentinel_user")


def user(url: str) -> str:
    """The user that the address names, "" if none."""
    return unquote(urlsplit(url).username or "")


def uses_tls(url: str) -> bool:
    return SCHEMES[urlsplit(url).scheme] == TLS


def load_tls(files: Mapping[str, Path]) -> None:
    """ValueError if a certificate or a key, by its option's name, cannot be used."""
    _load_tls({name: str(path) for name, path in files.items()})


def _check_option(scheme: str, name: str, value: str) -> None:
    check = _OPTIONS.get(name)
    if check is None:
        raise ValueError(
            f"must have no option ?{name}: {_WHY_NOT.get(name, _UNKNOWN_OPTION)}; an address may "
            f"have {', '.join(_OPTIONS)}"
        )
    if name.startswith("ssl_") and SCHEMES[scheme] != TLS:
        begin = f"{scheme}s://" if scheme in (SENTINEL, CLUSTER) else "rediss:// or valkeys://"
        raise ValueError(f"must begin with {begin}, as it has the option ?{name}")
    if name == "sentinel_user" and not scheme.startswith(SENTINEL):
        raise ValueError("must begin with sentinel://, as it has the option ?sentinel_user")
    if not check(value):
        raise ValueError(f"must have another value for ?{name}: {_VALID[check]}")


def _load_tls(options: Mapping[str, str]) -> None:
    """What OpenSSL says of these files, now and not at the first connection."""
    authorities, folder = options.get("ssl_ca_certs"), options.get("ssl_ca_path")
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities or folder:
        _try(lambda: context.load_verify_locations(authorities, folder), authorities or folder)
    if key and not certificate:
        raise ValueError("must have a certificate with its key: name both")
    if certificate:
        # An encrypted key would ask for its password on the terminal.
        _try(lambda: context.load_cert_chain(certificate, key, password=""), certificate)


def _try(load: Callable[[], object], file: object) -> None:
    try:
        load()
    except OSError as error:  # ssl's own are such as well
        reason = error.strerror or str(error)
        raise ValueError(f"cannot use {file}: {reason}; name a PEM file that can be read") from None


def _is_number(value: str) -> bool:
    return re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) is not None


def _is_whole(value: str) -> bool:
    return re.fullmatch(r"\d{1,9}", value) is not None


def _is_yes_or_no(value: str) -> bool:
    return value.lower() in _YES_NO


def _is_verifying(value: str) -> bool:
    return value in _VERIFYING


def _is_text(value: str) -> bool:
    return bool(value) and " " not in value


_OPTIONS: dict[str, Callable[[str], bool]] = {
    "db": _is_whole,
    "ssl_ca_certs": bool,
    "ssl_ca_path": bool,
    "ssl_certfile": bool,
    "ssl_keyfile": bool,
    "ssl_check_hostname": _is_yes_or_no,
    "ssl_cert_reqs": _is_verifying,
    "ssl_ciphers": _is_text,
    "socket_connect_timeout": _is_number,
    "socket_keepalive": _is_yes_or_no,
    "health_check_interval": _is_whole,
    "client_name": _is_text,
    "sentinel_user": _is_text,
}
_VALID = {
    bool: "the name of a file",
    _is_number: "seconds",
    _is_whole: "a whole number",
    _is_yes_or_no: "true or false",
    _is_verifying: ", ".join(_VERIFYING),
    _is_text: "something without spaces",
}
_UNKNOWN_OPTION = "nothing reads it"
_OURS = "Weir itself decides this"
_WHY_NOT = {
    "username": "the user stands before the server, as in redis://USER@HOST",
    "password": "the password stands before the server, or in WEIR_REDIS_PASSWORD_FILE",
    "ssl_password": "give a key that has no password, in a file for this user alone",
    **dict.fromkeys(
        (
            *("protocol", "decode_responses", "encoding", "encoding_errors", "socket_timeout"),
            *("retry_on_timeout", "retry_on_error", "max_connections", "timeout", "socket_type"),
        ),
        _OURS,
    ),
}
