"""What a server's address may say: one URL, understood alike by our own client and by Celery's.

All that a connection needs is in it, TLS included, so that no second place can say otherwise. Pure,
but for reading the files that it names.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

PLAIN, TLS, SOCKET = "redis", "rediss", "unix"
SCHEMES = {"redis": PLAIN, "rediss": TLS, "valkey": PLAIN, "valkeys": TLS, "unix": SOCKET}
DEFAULT_PORT = 6379

_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_VERIFYING = ("required", "optional", "none")


def server_url(url: str) -> str:
    """`url` if it can be used as it stands. ValueError with what would be valid; an address may
    hold a password, so the message repeats no part of it but the names of its options."""
    parts = urlsplit(url)
    if "cluster" in parts.scheme:
        raise ValueError(
            "must name one server: a worker reads all its streams with one command, and Celery's"
            " broker has none for a Redis Cluster; begin with redis:// or rediss://"
        )
    if parts.scheme not in SCHEMES:
        raise ValueError(
            "must begin with redis:// or valkey://, rediss:// or valkeys:// for TLS, or unix:// for"
            " a socket, as in redis://127.0.0.1:6379/0"
        )
    _check_place(SCHEMES[parts.scheme], url)
    if parts.fragment:
        raise ValueError("must have # written as %23")
    options = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in options:
        _check_option(SCHEMES[parts.scheme], name, value)
    _load_tls(dict(options))
    return url


def _check_place(scheme: str, url: str) -> None:
    parts = urlsplit(url)
    if scheme == SOCKET:
        if parts.hostname or not parts.path.strip("/"):
            raise ValueError("must name the socket's file in full, as in unix:///run/valkey.sock")
        return
    if not parts.hostname:
        raise ValueError("must name a server, as in redis://127.0.0.1:6379/0")
    if not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError("must end in a database number, as in redis://127.0.0.1:6379/0")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"must have a port from 0 to 65535, or none for {DEFAULT_PORT}") from None


def full_url(
    url: str, *, password: str | None, files: Mapping[str, Path], check_hostname: bool
) -> str:
    """`url` as redis-py reads it, with all that is set elsewhere: the password, unless the URL has
    one, and for TLS the files by their option's name. Not for logs."""
    parts = urlsplit(url)
    scheme = SCHEMES[parts.scheme]
    netloc = parts.netloc
    if password is not None and not parts.password:
        user = parts.username or ""
        netloc = f"{user}:{quote(password, safe='')}@{netloc.rpartition('@')[2]}"
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if scheme == TLS:
        options |= {name: str(path) for name, path in files.items()}
        if not check_hostname:
            options["ssl_check_hostname"] = "false"
    query = f"?{urlencode(options)}" if options else ""
    # A `;` would be the start of another address to Celery.
    return f"{scheme}://{netloc}{parts.path}{query}".replace(";", "%3B")


def place(url: str) -> str:
    """Where the server is, for people to read: no password."""
    parts = urlsplit(url)
    if SCHEMES[parts.scheme] == SOCKET:
        return unquote(parts.path)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or DEFAULT_PORT}"


def host_and_port(url: str) -> tuple[str, int]:
    """Where to connect to; the host is "" for a socket's file."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORT


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
    if name.startswith("ssl_") and scheme != TLS:
        raise ValueError(f"must begin with rediss:// or valkeys://, as it has the option ?{name}")
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
