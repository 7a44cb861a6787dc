"""What a person is told when the server is not there, not trusted, or speaks otherwise: one line
that says what it is. Our own client and Celery's are asked alike.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from kombu import Connection
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import ConnectionError, RedisError

from tests.worker.keyspace.lossy_proxy import LossyProxy
from tests.worker.keyspace.tls_proxy import Authority, TlsProxy
from worker.keyspace import connection
from worker.keyspace.connection import connect, connect_blocking
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.trouble import is_passing, setup_line, trouble_line
from worker.process.broker import Transport
from worker.settings.config import Settings

PASSWORD = "open sesame; äöü@/"  # noqa: S105
Ping = Callable[[Settings], object]


def ping_with_ours(settings: Settings) -> object:
    with connect(settings) as client:
        return client.ping()


def ping_with_ours_that_blocks(settings: Settings) -> object:
    with connect_blocking(settings, 0.1) as client:
        return client.ping()


def ping_with_celery_s(settings: Settings) -> object:
    options = {"global_keyprefix": "test:celery:", "server": settings.server}
    with Connection("redis://", transport=Transport, transport_options=options) as broker:
        return broker.channel().client.ping()


@pytest.fixture(params=[ping_with_ours, ping_with_ours_that_blocks, ping_with_celery_s])
def ping(request: pytest.FixtureRequest) -> Ping:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def locked_server() -> Iterator[EmbeddedServer]:
    """With a password, and a user with another."""
    with EmbeddedServer() as server, Redis(port=server.port) as redis:
        redis.acl_setuser("ann", enabled=True, passwords=["+hers"], keys=["*"], commands=["+@all"])
        redis.config_set("requirepass", PASSWORD)
        yield server


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def proxy(locked_server: EmbeddedServer, authority: Authority) -> Iterator[TlsProxy]:
    with TlsProxy(locked_server.port, authority.server_context()) as proxy:
        yield proxy


def settings_of(url: str, **changes: object) -> Settings:
    return Settings(redis_url=url, redis_password=SecretStr(PASSWORD), **changes)  # type: ignore[arg-type]


def trouble(ping: Ping, settings: Settings) -> str:
    """The line for a connection that must fail."""
    with pytest.raises((RedisError, OSError)) as caught:
        ping(settings)
    line = trouble_line(settings.redis_url, caught.value)
    assert "\n" not in line
    return line


# ------------------------------------------------------------------ what works


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_a_server_that_is_vouched_for_is_reached(
    ping: Ping, proxy: TlsProxy, authority: Authority, scheme: str
) -> None:
    assert ping(settings_of(proxy.url(scheme), redis_ca_file=authority.file))
    assert ping(settings_of(f"{proxy.url(scheme)}?ssl_ca_certs={authority.file}"))
    assert PASSWORD.encode() in proxy.read


def test_a_server_that_asks_for_a_certificate_gets_ours(
    ping: Ping, locked_server: EmbeddedServer, authority: Authority
) -> None:
    certificate, key = authority.client_files()
    context = authority.server_context(asks_clients=True)
    with TlsProxy(locked_server.port, context) as proxy:
        ours = {"redis_cert_file": certificate, "redis_key_file": key}
        assert ping(settings_of(proxy.url(), redis_ca_file=authority.file, **ours))
        line = trouble(ping, settings_of(proxy.url(), redis_ca_file=authority.file))
    assert "WEIR_REDIS_CERT_FILE" in line


def test_a_certificate_for_another_name_is_taken_only_when_told(
    ping: Ping, locked_server: EmbeddedServer, authority: Authority
) -> None:
    with TlsProxy(locked_server.port, authority.server_context("other.example")) as proxy:
        line = trouble(ping, settings_of(proxy.url(), redis_ca_file=authority.file))
        assert PASSWORD.encode() not in proxy.read
        told = {"redis_ca_file": authority.file, "redis_check_hostname": False}
        assert ping(settings_of(proxy.url(), **told))
    assert "not trusted" in line and "WEIR_REDIS_CHECK_HOSTNAME" in line


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_plain_addresses_are_reached(
    ping: Ping, locked_server: EmbeddedServer, scheme: str
) -> None:
    assert ping(settings_of(f"{scheme}://127.0.0.1:{locked_server.port}/3?client_name=me"))


def test_a_user_with_a_password_of_their_own_is_let_in(
    ping: Ping, locked_server: EmbeddedServer
) -> None:
    assert ping(Settings(redis_url=f"redis://ann:hers@127.0.0.1:{locked_server.port}"))


@pytest.fixture
def socket_file(locked_server: EmbeddedServer, tmp_path: Path) -> Iterator[Path]:
    """A socket's file that leads to the server."""
    file = tmp_path / "a b.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(file))
        listener.listen()
        proxy = LossyProxy(locked_server.port, listener)
        yield file
        proxy.close()


def test_a_socket_s_file_is_reached(ping: Ping, socket_file: Path) -> None:
    url = f"unix://{str(socket_file).replace(' ', '%20')}"
    assert ping(settings_of(f"{url}?db=2"))
    assert trouble(ping, Settings(redis_url=url)).startswith(f"{socket_file} wants a password")


# ------------------------------------------------------------------ what does not


def test_a_server_that_nobody_vouches_for_gets_no_password(ping: Ping, proxy: TlsProxy) -> None:
    line = trouble(ping, settings_of(proxy.url()))
    assert proxy.read == b""
    assert f"127.0.0.1:{proxy.port} shows a certificate that is not trusted" in line
    assert "WEIR_REDIS_CA_FILE" in line


def test_a_server_that_another_vouches_for_gets_no_password(
    ping: Ping, proxy: TlsProxy, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    assert "not trusted" in trouble(ping, settings_of(proxy.url(), redis_ca_file=other.file))
    assert proxy.read == b""


def test_tls_to_a_server_that_speaks_none(
    ping: Ping, locked_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the end of a line, in silence. Who wants TLS does not wait for as long as for
    a reply: it is told soon, however patient others are."""
    monkeypatch.setattr(connection, "REPLY_SECONDS", 3600.0)
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.3)
    where = f"127.0.0.1:{locked_server.port}"
    line = trouble(ping, settings_of(f"rediss://{where}/0"))
    assert line == f"{where} does not speak TLS: begin WEIR_REDIS_URL with redis:// (or valkey://)"


@pytest.mark.parametrize("ping", [ping_with_ours, ping_with_ours_that_blocks])
def test_a_handshake_that_nobody_answers_is_not_tried_again_at_once(
    ping: Ping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it forgotten by those who wait for servers: it may have hung."""
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        with pytest.raises(RedisError) as caught:
            ping(settings_of(f"rediss://127.0.0.1:{silent.getsockname()[1]}/0"))
        silent.settimeout(0)
        assert num_waiting(silent) == 1
    assert isinstance(caught.value, connection.HandshakeTimeout)
    assert is_passing(caught.value)


def num_waiting(listener: socket.socket) -> int:
    """Connections that nobody has taken up yet."""
    num = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            num += 1
    return num


def test_no_tls_to_a_server_that_speaks_nothing_else(ping: Ping, proxy: TlsProxy) -> None:
    line = trouble(ping, settings_of(proxy.url("redis")))
    where = f"127.0.0.1:{proxy.port}"
    assert line == f"{where} speaks TLS: begin WEIR_REDIS_URL with rediss:// (or valkeys://)"


def test_a_wrong_password(ping: Ping, locked_server: EmbeddedServer) -> None:
    url = f"redis://127.0.0.1:{locked_server.port}/0"
    line = trouble(ping, Settings(redis_url=url, redis_password=SecretStr("wrong")))
    assert line.startswith(f"127.0.0.1:{locked_server.port} refuses the password")
    assert "wrong" not in line.replace("wrong type", "")


def test_a_wrong_user_is_named(ping: Ping, locked_server: EmbeddedServer) -> None:
    url = f"redis://bob@127.0.0.1:{locked_server.port}/0"
    line = trouble(ping, Settings(redis_url=url, redis_password=SecretStr("hers")))
    assert "refuses the password: it has no user 'bob', or that user another password" in line


def test_no_password(ping: Ping, locked_server: EmbeddedServer) -> None:
    line = trouble(ping, Settings(redis_url=f"redis://127.0.0.1:{locked_server.port}/0"))
    assert "wants a password: set WEIR_REDIS_PASSWORD or WEIR_REDIS_PASSWORD_FILE" in line


def test_a_password_where_none_is_wanted(ping: Ping, redis_server: EmbeddedServer) -> None:
    line = trouble(ping, settings_of(redis_server.url))
    assert "has no password: leave WEIR_REDIS_PASSWORD" in line


def test_nobody_listens(ping: Ping) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    line = trouble(ping, Settings(redis_url=f"redis://127.0.0.1:{port}/0"))
    assert line.startswith(f"no Redis answers at 127.0.0.1:{port}: start one")


def test_no_such_socket(ping: Ping, tmp_path: Path) -> None:
    line = trouble(ping, Settings(redis_url=f"unix://{tmp_path}/none.sock"))
    assert line.startswith(f"no Redis answers at {tmp_path}/none.sock")


def test_a_server_that_is_away_is_no_matter_of_setup() -> None:
    assert setup_line("redis://127.0.0.1:1/0", ConnectionError("refused")) is None
