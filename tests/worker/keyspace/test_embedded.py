"""The embedded server answers, keeps to itself, and a durable one survives a power cut."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from worker.keyspace.embedded import EmbeddedServer, EmbeddedServerError


def test_it_answers_and_is_gone_afterwards() -> None:
    with EmbeddedServer() as server, Redis.from_url(server.url) as client:
        folder = client.config_get("dir")["dir"]
        assert client.xadd("live:a", {"text": "hi"})
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    assert not Path(folder).exists()


def test_two_servers_do_not_meet() -> None:
    with EmbeddedServer() as one, EmbeddedServer() as other:
        assert one.url != other.url


def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    with EmbeddedServer() as server, Redis.from_url(server.url) as client:
        pid = int(client.info("server")["process_id"])
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_durable_server_has_everything_after_a_kill() -> None:
    with EmbeddedServer(durable=True) as server:
        with Redis.from_url(server.url) as client:
            client.xadd("live:a", {"text": "hi"})
        port = server.port
        server.kill()
        server.start()
        with Redis.from_url(server.url) as client:
            assert server.port == port
            assert client.xlen("live:a") == 1


def test_it_does_not_outlive_a_process_that_is_killed() -> None:
    script = (
        "from worker.keyspace.embedded import EmbeddedServer; import time\n"
        "server = EmbeddedServer(); server.start(); print(server.url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        with Redis.from_url(user.stdout.readline().strip(), retry=Retry(NoBackoff(), 0)) as client:
            pid = int(client.info("server")["process_id"])
            folder = Path(client.config_get("dir")["dir"])
            assert folder.exists()
            user.kill()
            with pytest.raises(ConnectionError):
                while client.ping():
                    time.sleep(0.01)
    while is_alive(pid) or folder.exists():
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_taken_port_is_an_error_with_the_log() -> None:
    with EmbeddedServer() as server:
        late = EmbeddedServer()
        late.port = server.port
        with pytest.raises(EmbeddedServerError, match=r"bind|in use"):
            late.start()
        late.stop()
