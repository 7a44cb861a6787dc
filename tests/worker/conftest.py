"""What tests of the command line have: `weir`, typed here and run against the test server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from worker.cli import main
from worker.keyspace.embedded import EmbeddedServer


@pytest.fixture
def weir(
    redis: Redis,
    redis_server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str, str]]:
    """Run a command: exit code, standard output, standard error."""
    monkeypatch.setenv("WEIR_REDIS_URL", redis_server.url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run
