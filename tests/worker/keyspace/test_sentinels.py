"""Whoever is given sentinels is connected to the primary that they name, now and later.

The sentinels and servers are real. Here the servers do not replicate each other, so that a write
tells which of them it reached.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import Connection
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import ConnectionError, RedisError

from tests.worker.keyspace.tls_proxy import Authority, TlsProxy
from tests.worker.keyspace.watched import NAME, Sentinel, client, until
from worker.keyspace.connection import connect, connect_blocking, connect_briefly
from worker.keyspace.embedded import EmbeddedServer, free_port
from worker.keyspace.trouble import is_passing, setup_line, trouble_line
from worker.process.broker import Transport
from worker.settings.config import Settings

Note = Callable[[Settings, str], object]
THEIRS, OURS = "sesame", "open sesame; äöü@/"


def note_with_ours(settings: Settings, key: str) -> object:
    with connect(settings) as redis:
        return redis.set(key, 1)


def note_with_ours_that_blocks(settings: Settings, key: str) -> object:
    with connect_blocking(settings, 0.1) as redis:
        return redis.set(key, 1)


def note_with_celery_s(settings: Settings, key: str) -> object:
    options = {"server": settings.server}
    with Connection("redis://", transport=Transport, transport_options=options) as broker:
        return broker.channel().client.set(key, 1)


@pytest.fixture(params=[note_with_ours, note_with_ours_that_blocks, note_with_celery_s])
def note(request: pytest.FixtureRequest) -> Note:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    with EmbeddedServer() as one, EmbeddedServer() as other:
        yield one, other


@pytest.fixture
def one(servers: tuple[EmbeddedServer, EmbeddedServer]) -> Iterator[Redis]:
    with client(servers[0].port) as redis:
        redis.replicaof("NO", "ONE")
        redis.flushall()
        yield redis


@pytest.fixture
def other(servers: tuple[EmbeddedServer, EmbeddedServer]) -> Iterator[Redis]:
    with client(servers[1].port) as redis:
        redis.flushall()
        yield redis


@pytest.fixture(scope="module")
def sentinel(servers: tuple[EmbeddedServer, EmbeddedServer]) -> Iterator[Sentinel]:
    with Sentinel(servers[0].port, password=THEIRS) as sentinel:
        yield sentinel


@pytest.fixture
def watching(sentinel: Sentinel, one: Redis) -> Sentinel:
    sentinel.watch(port_of(one))
    return sentinel


def port_of(redis: Redis) -> int:
    return int(redis.get_connection_kwargs()["port"])


def settings_of(*ports: int, path: str = f"/{NAME}", **changes: object) -> Settings:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    given = {"redis_url": f"sentinel://{hosts}{path}", "sentinel_password": THEIRS}
    return Settings(**(given | changes))  # type: ignore[arg-type]


def test_the_primary_that_they_name_is_reached(note: Note, watching: Sentinel, one: Redis) -> None:
    note(settings_of(watching.port), "a")
    note(settings_of(watching.port, path=f"/{NAME}/3"), "b")
    assert one.keys() == [b"a"]
    assert one.info("keyspace")["db3"]["keys"] == 1


def test_sentinels_that_are_dead_are_passed_over(
    note: Note, watching: Sentinel, one: Redis
) -> None:
    note(settings_of(free_port(), watching.port, free_port()), "a")
    assert one.exists("a")


def test_servers_and_sentinels_have_passwords_of_their_own(
    note: Note, watching: Sentinel, one: Redis
) -> None:
    one.acl_setuser("ann", enabled=True, passwords=[f"+{OURS}"], keys=["*"], commands=["+@all"])
    settings = settings_of(watching.port, redis_password=OURS)
    ann = settings.redis_url.replace("//", "//ann@")
    note(settings.model_copy(update={"redis_url": ann}), "a")
    assert one.exists("a")


def test_when_another_is_named_what_is_sent_goes_there_although_the_first_takes_it_still(
    watching: Sentinel, one: Redis, other: Redis
) -> None:
    with connect(settings_of(watching.port)) as redis:
        redis.set("before", 1)
        watching.watch(port_of(other))
        until(lambda: redis.set("after", 1) and other.exists("after"))
        assert one.exists("before")
        assert not other.exists("before")


def test_a_primary_that_has_become_a_replica_is_left_at_its_first_refusal(
    watching: Sentinel, one: Redis, other: Redis
) -> None:
    with connect(settings_of(watching.port)) as redis:
        redis.ping()
        watching.watch(port_of(other))
        one.replicaof("127.0.0.1", port_of(other))
        redis.set("a", 1)
        assert other.exists("a")


def test_a_read_that_waits_is_broken_off_when_its_server_becomes_a_replica(
    watching: Sentinel, one: Redis, other: Redis
) -> None:
    with connect_blocking(settings_of(watching.port), 20) as redis:
        redis.ping()
        watching.watch(port_of(other))
        timer = threading.Timer(0.1, one.replicaof, ("127.0.0.1", port_of(other)))
        timer.start()
        with pytest.raises(ConnectionError, match="no primary any more"):
            redis.xread({"live:a": "$"}, block=20000)
        timer.join()
        other.xadd("live:a", {"text": "hi"})
        assert redis.xread({"live:a": "0"}, block=20000)


def test_a_replica_is_never_taken_for_the_primary(
    watching: Sentinel, one: Redis, other: Redis
) -> None:
    one.replicaof("127.0.0.1", port_of(other))
    error = failure(settings_of(watching.port))
    assert "is a replica, not the primary" in str(error)
    assert is_passing(error)


def failure(settings: Settings) -> RedisError:
    with connect_briefly(settings, 1.0) as redis, pytest.raises(RedisError) as caught:
        redis.ping()
    return caught.value


def test_without_a_sentinel_that_answers_it_is_said_where_they_were_looked_for() -> None:
    settings = settings_of(port := free_port())
    error = failure(settings)
    assert is_passing(error)
    assert setup_line(settings.redis_url, error) is None
    line = trouble_line(settings.redis_url, error)
    assert line.startswith(f"no Redis answers at 127.0.0.1:{port}")


def test_what_no_waiting_mends_is_said_in_one_line(watching: Sentinel, one: Redis) -> None:
    def line(settings: Settings) -> str:
        return setup_line(settings.redis_url, failure(settings)) or "nothing"

    where = f"127.0.0.1:{watching.port}"
    assert f"{where} knows no primary 'another'" in line(
        settings_of(watching.port, path="/another")
    )
    for wrong in (None, "wrong"):
        said = line(settings_of(watching.port, sentinel_password=wrong))
        assert said.startswith(where) and "WEIR_SENTINEL_PASSWORD" in said
    assert "is a server and no sentinel" in line(settings_of(port_of(one), sentinel_password=None))
    said = line(settings_of(watching.port, redis_password=SecretStr("nobody asked")))
    assert "WEIR_REDIS_PASSWORD" in said


def test_with_tls_both_are_verified_before_anything_is_sent(
    watching: Sentinel, one: Redis, tmp_path: Path
) -> None:
    ours, another_s = Authority(tmp_path / "ours"), Authority(tmp_path / "another's")
    good = ours.server_context()
    with TlsProxy(port_of(one), good) as server, TlsProxy(watching.port, good) as proxy:
        watching.watch(server.port)
        url = proxy.url("sentinels").replace("/0", f"/{NAME}")
        settings = settings_of(redis_url=url, redis_ca_file=ours.file)
        note_with_ours(settings, "a")
        note_with_celery_s(settings, "b")
        assert sorted(one.keys()) == [b"a", b"b"]
        for who in (server, proxy):
            who.context, who.read = another_s.server_context(), b""
            assert "not trusted" in str(setup_line(url, failure(settings)))
            assert who.read == b""
            who.context = good


def test_who_speaks_the_other_way_is_told_so(watching: Sentinel, tmp_path: Path) -> None:
    plain = settings_of(watching.port)
    with TlsProxy(watching.port, Authority(tmp_path).server_context()) as proxy:
        tls = settings_of(proxy.port)
        line = str(setup_line(tls.redis_url, failure(tls)))
    assert line.endswith("speaks TLS: begin WEIR_REDIS_URL with sentinels://")
    url = plain.redis_url.replace("sentinel", "sentinels", 1)
    line = str(setup_line(url, failure(plain.model_copy(update={"redis_url": url}))))
    assert line.endswith("does not speak TLS: begin WEIR_REDIS_URL with sentinel://")
