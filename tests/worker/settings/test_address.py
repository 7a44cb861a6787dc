"""Every address that redis-py knows works, or is refused in one line that says what would be valid.

Whether it works is asked of redis-py and of kombu, which make connections of it.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from pydantic import SecretStr, ValidationError
from redis import ConnectionPool
from redis.connection import SSLConnection, UnixDomainSocketConnection

from tests.worker.keyspace.tls_proxy import Authority
from worker.keyspace.connection import pool_options
from worker.settings.address import place, shown
from worker.settings.config import Settings, settings_error_line


def made(settings: Settings) -> object:
    """A connection as all are made, not yet open."""
    return ConnectionPool(**pool_options(settings.server, 1)).make_connection()


def refusal(url: str, **changes: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(redis_url=url, **changes)  # type: ignore[arg-type]
    line = settings_error_line(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", {"host": "host", "port": 6379, "db": 0}),
        ("valkey://host:7000/3", {"host": "host", "port": 7000, "db": 3}),
        ("redis://host?db=4", {"host": "host", "db": 4}),
        ("redis://[::1]:7000/1", {"host": "::1", "port": 7000, "db": 1}),
        ("redis://ann:s%40;%2F@host/1", {"username": "ann", "password": "s@;/", "host": "host"}),
        ("redis://:secret@host", {"password": "secret"}),
        ("unix:///run/a.sock", {"path": "/run/a.sock", "db": 0}),
        ("unix://ann:pw@/run/a%20b.sock?db=5", {"path": "/run/a b.sock", "db": 5}),
        ("redis://h?socket_connect_timeout=1.5&client_name=me&health_check_interval=9", {}),
    ],
)
def test_an_address_is_understood(url: str, expected: dict[str, object]) -> None:
    connection = made(Settings(redis_url=url))
    assert {name: getattr(connection, name) for name in expected} == expected


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_is_verified_unless_the_address_says_otherwise(scheme: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    connection = made(Settings(redis_url=f"{scheme}://host"))
    assert isinstance(connection, SSLConnection)
    assert (connection.cert_reqs, connection.check_hostname) == (ssl.CERT_REQUIRED, True)
    certificate, key = authority.client_files()
    settings = Settings(
        redis_url=f"{scheme}://host?ssl_ca_certs={authority.file}",
        redis_cert_file=certificate,
        redis_key_file=key,
        redis_check_hostname=False,
    )
    connection = made(settings)
    assert isinstance(connection, SSLConnection)
    assert connection.ca_certs == str(authority.file)
    assert (connection.certfile, connection.keyfile) == (str(certificate), str(key))
    assert (connection.cert_reqs, connection.check_hostname) == (ssl.CERT_REQUIRED, False)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("localhost", "must begin with redis://"),
        ("http://host", "must begin with redis://"),
        ("sentinel://host", "must name the primary"),
        ("sentinel://host/", "must name the primary"),
        ("sentinel://a,b/my/zero", "must name the primary, and may name a database"),
        ("sentinel://a,,b/my", "must name a server"),
        ("sentinels://a,b:70000/my", "must have a port from 0 to 65535"),
        ("sentinel://a/my?ssl_ca_certs=/ca.pem", "must begin with sentinels://"),
        ("redis://a,b", "must name one server"),
        ("redis://a?sentinel_user=ann", "must begin with sentinel://"),
        ("redis+cluster://host", "must begin with redis://"),
        ("rediss-cluster://host:7000", "cluster:// or clusters:// for a Redis Cluster"),
        ("cluster://a,b/1", "must name no database"),
        ("cluster://a,,b", "must name a server"),
        ("cluster://a?ssl_ca_certs=/ca.pem", "must begin with clusters://"),
        ("redis://", "must name a server"),
        ("redis:///3", "must name a server"),
        ("redis://host/zero", "must end in a database number"),
        ("redis://host:70000", "must have a port from 0 to 65535"),
        ("redis://host/0#1", "# written as %23"),
        ("unix://", "must name the socket's file"),
        ("unix://run/a.sock", "must name the socket's file"),
        ("redis://host?foo=1", "no option ?foo: nothing reads it"),
        ("redis://host?foo", "no option ?foo: nothing reads it"),
        ("redis://host?decode_responses=true", "Weir itself decides this"),
        ("redis://host?protocol=3", "Weir itself decides this"),
        ("redis://host?socket_timeout=0.1", "Weir itself decides this"),
        ("redis://host?password=x", "the password stands before the server"),
        ("redis://host?username=x", "the user stands before the server"),
        ("redis://host?db=one", "another value for ?db: a whole number"),
        ("redis://host?socket_connect_timeout=soon", "another value for ?socket_connect_timeout"),
        ("redis://host?ssl_ca_certs=/ca.pem", "must begin with rediss://"),
        (
            "rediss://host?ssl_ca_certs=/nonexistent.pem",
            "cannot use /nonexistent.pem: No",
        ),
        ("rediss://host?ssl_certfile=/etc/hostname", "name a PEM file"),
        ("rediss://host?ssl_cert_reqs=perhaps", "required, optional, none"),
        ("rediss://host?ssl_check_hostname=off", "true or false"),
        ("rediss://host?ssl_password=x", "give a key that has no password"),
    ],
)
def test_another_address_is_refused_in_one_line(url: str, what: str) -> None:
    assert what in refusal(url)


def test_files_for_tls_without_tls_are_refused(tmp_path: Path) -> None:
    file = Authority(tmp_path).file
    line = refusal("redis://host", redis_ca_file=file)
    assert line == f"WEIR_REDIS_CA_FILE={str(file)!r}: needs a WEIR_REDIS_URL with rediss://"


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    assert f"cannot use {file}" in refusal("rediss://host", redis_ca_file=file)


def test_a_password_in_a_refused_address_is_not_shown() -> None:
    assert "sesame" not in refusal("redis://ann:sesame@host/zero")


@given(
    scheme=st.sampled_from(["redis", "valkey", "rediss", "valkeys"]),
    user=st.text(max_size=8),
    password=st.text(min_size=1, max_size=12),
    in_url=st.booleans(),
)
def test_any_password_reaches_the_connection_and_no_log(
    scheme: str, user: str, password: str, in_url: bool
) -> None:
    secret = f":{quote(password, safe='')}" if in_url else ""
    url = f"{scheme}://{quote(user, safe='')}{secret}@host:7000/2"
    try:
        password.encode()
        user.encode()
    except UnicodeEncodeError:
        return
    settings = Settings(redis_url=url, redis_password=None if in_url else SecretStr(password))
    connection = made(settings)
    assert getattr(connection, "password") == password  # noqa: B009
    assert (getattr(connection, "username") or "") == user  # noqa: B009
    broker = Connection(shown(settings.redis_url), transport="worker.process.broker:Transport")
    assert broker.as_uri() == f"{scheme}://host:7000/2"
    assert place(settings.redis_url) == "host:7000"


def test_a_socket_is_shown_by_its_file() -> None:
    settings = Settings(redis_url="unix:///run/a%20b.sock", redis_password=SecretStr("p"))
    connection = made(settings)
    assert isinstance(connection, UnixDomainSocketConnection)
    assert (connection.path, connection.password) == ("/run/a b.sock", "p")
    assert place(settings.redis_url) == "/run/a b.sock"


def test_sentinels_are_several_and_know_the_server_by_a_name() -> None:
    settings = Settings(
        redis_url="sentinels://ann:pw@a,[::1]:7,c:8/my%20own/3?sentinel_user=bo&client_name=me",
        sentinel_password=SecretStr("theirs"),
    )
    server = settings.server
    assert server.kind == "sentinels"
    assert server.hosts == (("a", 26379), ("::1", 7), ("c", 8))
    assert (server.primary, server.sentinel_user) == ("my own", "bo")
    assert server.sentinel_password == "theirs"  # noqa: S105
    assert "pw" not in repr(server)
    assert "theirs" not in repr(server)
    connection = made(settings)
    assert isinstance(connection, SSLConnection)
    assert (connection.username, connection.password, connection.db) == ("ann", "pw", 3)
    assert connection.client_name == "me"
    assert place(settings.redis_url) == "a:26379, [::1]:7, c:8"
    broker = Connection(shown(settings.redis_url), transport="worker.process.broker:Transport")
    assert broker.as_uri() == "sentinels://a/my own/3"


def test_nodes_of_a_cluster_are_several_and_need_another_server_for_messages() -> None:
    settings = Settings(
        redis_url="clusters://ann:pw@a,b:7/0",
        broker_url="redis://c/1",
        broker_password=SecretStr("theirs"),
    )
    assert (settings.server.kind, settings.server.hosts) == ("cluster", (("a", 6379), ("b", 7)))
    assert place(settings.redis_url) == "a:6379, b:7"
    connection = made(settings)
    assert isinstance(connection, SSLConnection)
    assert (connection.username, connection.password, connection.db) == ("ann", "pw", 0)
    assert (settings.broker.kind, settings.broker.url) == ("single", "redis://:theirs@c/1")


def test_without_another_server_messages_go_through_the_same() -> None:
    settings = Settings(redis_url="sentinel://a,b/my", redis_password=SecretStr("p"))
    assert settings.broker == settings.server


def test_a_cluster_is_refused_as_the_server_of_messages() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(broker_url="cluster://a,b")
    line = settings_error_line(caught.value)
    assert line.startswith("WEIR_BROKER_URL='cluster://a,b': Celery's messages cannot go through")
    assert "\n" not in line
