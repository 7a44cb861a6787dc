"""The embedded server answers, keeps to itself, and a durable one survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from redis import Redis

from worker.embedded import EmbeddedServer


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
