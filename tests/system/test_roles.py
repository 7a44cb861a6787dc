"""The users of the compose file's server: each may do its part and no more, whatever its password.

The server is a real one, with the users that ops/valkey/users.sh prints.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from tests.system.celery_worker import forked_worker, until
from tests.system.test_celery import APP
from tests.worker.workbench import STREAM, Workbench, publish, settings_for
from worker.cli import main
from worker.exporter.reading import read
from worker.keyspace.connection import connect
from worker.keyspace.embedded import EmbeddedServer
from worker.keyspace.keys import stream_keys
from worker.keyspace.publisher import Publisher
from worker.settings.config import Settings

ROOT = Path(__file__).parents[2]
ROLES = ("default", "publisher", "reader", "worker", "exporter")
KEYS = stream_keys("live:a")


def secrets(folder: Path, **passwords: str) -> Path:
    """As compose mounts them."""
    folder.mkdir(exist_ok=True)
    for role in ROLES:
        (folder / f"{role}_password").write_text(passwords.get(role, f"pass of {role}") + "\n")
    return folder


def users(folder: Path, **environment: str) -> list[str]:
    script = ROOT / "ops" / "valkey" / "users.sh"
    result = subprocess.run(
        ["sh", str(script), str(folder)],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return result.stdout.splitlines()


def apply(server: EmbeddedServer, lines: list[str]) -> None:
    """As a server does that starts with these users; `default` last, to be let in until then."""
    with Redis(port=server.port) as redis:
        for line in reversed(lines):
            _, name, *rules = line.split()
            redis.execute_command("ACL", "SETUSER", name, "on", *rules)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secrets(tmp_path_factory.mktemp("roles") / "secrets")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        apply(server, users(folder))
        yield server


def settings_of(server: EmbeddedServer, folder: Path, role: str) -> Settings:
    return Settings(
        redis_url=f"redis://{role}@127.0.0.1:{server.port}/0",
        redis_password_file=folder / f"{role}_password",
        metrics_port=0,
    )


def as_role(server: EmbeddedServer, folder: Path, role: str) -> Redis:
    return connect(settings_of(server, folder, role))


def test_nobody_gets_in_without_a_password(server: EmbeddedServer) -> None:
    with Redis(port=server.port) as redis, pytest.raises(AuthenticationError):
        redis.ping()


def test_a_publisher_adds_to_streams_and_does_nothing_else(
    server: EmbeddedServer, folder: Path
) -> None:
    with as_role(server, folder, "publisher") as redis:
        redis.xadd("live:a", {"text": "by hand"})
        Publisher(redis, "live:a").publish([{"text": "by weir publish"}])
        for refused in (
            lambda: redis.xadd(KEYS.transcript, {"text": "forged"}),
            lambda: redis.xadd("other", {"text": "x"}),
            lambda: redis.xrange("live:a"),
            lambda: redis.delete("live:a"),
            lambda: redis.flushall(),
        ):
            with pytest.raises(NoPermissionError):
                refused()


def test_a_reader_reads_everything_and_writes_nothing(server: EmbeddedServer, folder: Path) -> None:
    with as_role(server, folder, "default") as redis:
        redis.xadd("live:a", {"text": "hi"})
    with as_role(server, folder, "reader") as redis:
        assert redis.xrange("live:a") and redis.xread({"live:a": "0"})
        assert read(redis, ["live:*"]).streams
        for refused in (
            lambda: redis.xadd("live:a", {"text": "x"}),
            lambda: redis.delete("live:a"),
            lambda: redis.set("x", 1),
            lambda: redis.flushall(),
            lambda: redis.keys("*"),
        ):
            with pytest.raises(NoPermissionError):
                refused()
        with pytest.raises(ResponseError, match="permission"):
            redis.eval("return redis.call('SET', KEYS[1], 'x')", 1, "x")


def test_an_exporter_reads_figures_and_no_text(server: EmbeddedServer, folder: Path) -> None:
    with as_role(server, folder, "default") as redis:
        redis.xadd("live:a", {"text": "hi"})
    with as_role(server, folder, "exporter") as redis:
        assert "live:a" in [line.stream for line in read(redis, ["live:*"]).streams]
        for refused in (
            lambda: redis.xadd("live:a", {"text": "x"}),
            lambda: redis.xread({"live:a": "0"}),
            lambda: redis.config_get("*"),
        ):
            with pytest.raises(NoPermissionError):
                refused()


@pytest.mark.parametrize("role", ["default", "worker"])
def test_nobody_administers(server: EmbeddedServer, folder: Path, role: str) -> None:
    with as_role(server, folder, role) as redis:
        for refused in (
            lambda: redis.flushall(),
            lambda: redis.config_set("maxmemory", 0),
            lambda: redis.acl_list(),
            lambda: redis.keys("*"),
        ):
            with pytest.raises(NoPermissionError):
                refused()


def test_people_run_every_command_as_default(
    server: EmbeddedServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEIR_REDIS_URL", server.url)
    monkeypatch.setenv("WEIR_REDIS_PASSWORD_FILE", str(folder / "default_password"))
    with as_role(server, folder, "default") as redis:
        redis.xadd("live:a", {"text": "hi"})
    for words in (["streams"], ["streams", "--json"], ["flush", "live:a"], ["close", "live:a"]):
        assert main(words) == 0, capsys.readouterr().err


def test_a_worker_works_as_worker(server: EmbeddedServer, folder: Path, tmp_path: Path) -> None:
    told = {
        "WEIR_REDIS_URL": f"redis://worker@127.0.0.1:{server.port}/0",
        "WEIR_REDIS_PASSWORD_FILE": str(folder / "worker_password"),
        "WEIR_METRICS_PORT": "0",
        "WEIR_DISCOVER_SECONDS": "0.3",
    }
    with (
        as_role(server, folder, "default") as redis,
        forked_worker(APP, tmp_path / "worker.log", **told) as worker,
    ):
        worker.wait_until_ready()
        redis.xadd("live:b", {"text": "good morning"})
        until(lambda: redis.exists(stream_keys("live:b").lease), worker.output)
        assert worker.end() == 0
        assert "permission" not in worker.output()


def test_what_a_worker_writes_it_may_write(
    server: EmbeddedServer, folder: Path, tmp_path: Path
) -> None:
    """All that a stream needs from its first entry to its end, by the real pipeline."""
    told = settings_for(f"redis://worker@127.0.0.1:{server.port}/0", tmp_path)
    bench = Workbench(told.model_copy(update={"redis_password": SecretStr("pass of worker")}))
    with as_role(server, folder, "publisher") as redis:
        ids = publish(redis, 5)
    bench.run_to_end()
    with as_role(server, folder, "reader") as redis:
        written = redis.xrange(stream_keys(STREAM).transcript)
    assert [fields[b"entry"].decode() for _, fields in written] == ids


@settings(max_examples=20)
@given(password=st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1))
def test_a_password_may_have_any_characters(tmp_path: Path, password: str) -> None:
    """Spaces at its ends, quotes and signs that mean something to a shell or a server."""
    folder = secrets(tmp_path / "secrets", worker=password)
    with EmbeddedServer() as server:
        apply(server, [line for line in users(folder) if line.split()[1] == "worker"])
        with as_role(server, folder, "worker") as redis:
            assert redis.ping()
            assert redis.acl_whoami() == "worker"


def test_publishers_are_let_in_where_the_streams_are(folder: Path) -> None:
    lines = users(folder, WEIR_PATTERN="talk:*, call:[0-9]*")
    [publisher] = [line.split() for line in lines if line.split()[1] == "publisher"]
    patterns = {word for word in publisher if word.startswith("~")}
    assert patterns == {"~talk:*", "~call:[0-9]*", "~weir:*:published"}
