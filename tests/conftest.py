"""What every test can have: a real server, and a clean database on it."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from typing import Any

# Before anything imports torch: tests share few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before anything imports Triton: its kernels are interpreted, there is no GPU.
os.environ["TRITON_INTERPRET"] = "1"
for _name in [name for name in os.environ if name.startswith("WEIR_")]:
    del os.environ[_name]

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from random_order.config import Config as Order  # noqa: E402
from redis import Redis  # noqa: E402

import engine  # noqa: E402, F401  # before transformers: silences what libraries say to nobody
from tests.forks import PYTHON, fork_server  # noqa: E402
from worker.keyspace.connection import connect  # noqa: E402
from worker.keyspace.embedded import EmbeddedServer  # noqa: E402
from worker.settings.config import Settings  # noqa: E402

# A shared machine stalls now and then; how long an example takes is never what a test is about.
settings.register_profile(
    "weir",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("weir")

_MUST_EXPIRE = (":lease", ":live", ":failing", ":requested", ":published")


# These take longest: whoever starts with them need not wait for them at the end.
_FIRST = ("tests/engine/gpu", "tests/system", "tests/worker/stream", "tests/bench")


def pytest_configure(config: pytest.Config) -> None:
    """One server of forks for all processes of the run: they find it by the environment."""
    if not hasattr(config, "workerinput"):
        # A script starts what is in its background with SIGINT ignored, and so would be all that
        # tests start: those of Ctrl-C would wait for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        forks = fork_server()
        forks.__enter__()
        config.add_cleanup(lambda: forks.__exit__(None, None, None))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Those who share the tests are forked too: all of them need all that is imported."""
    for spec in specs:
        spec.python = shlex.join(PYTHON)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """All that tests import stays: nobody looks through it for garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not Order(config).is_enabled:
        items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """After a failure: what to do next."""
    reports = [r for how in ("failed", "error") for r in terminalreporter.getreports(how)]
    if not reports:
        return
    say = terminalreporter.line
    terminalreporter.section("what to do")
    say(f"One alone, with all that it prints: make test ARGS='-n0 -s {reports[0].nodeid}'")
    if Order(config).is_enabled:
        say(f"All in this order: make test ARGS=--random-order-seed={Order(config).seed}")


@pytest.fixture(autouse=True)
def threads_as_they_were() -> Iterator[None]:
    """An engine sets how many threads torch computes with, and so for every test that comes after.
    Two in each of several processes cost ten times what one does."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedServer]:
    """One server for the whole run. Tests that stop a server start one of their own."""
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def weir_settings(redis_server: EmbeddedServer) -> Settings:
    """Settings that point at the test server; `model_copy(update=...)` changes some."""
    return Settings(redis_url=redis_server.url, metrics_port=0)


@pytest.fixture
def redis(weir_settings: Settings) -> Iterator[Redis]:
    """A client as the worker has it (bytes), on an empty database.

    Afterwards: whatever should die by itself must have a time to live.
    """
    with connect(weir_settings) as client:
        client.flushall()
        yield client
        keys = [
            key for key in client.scan_iter(match="weir:*") if key.decode().endswith(_MUST_EXPIRE)
        ]
        immortal = [key for key in keys if client.pttl(key) == -1]
        client.connection_pool.disconnect()  # those of threads too
    assert not immortal, f"no time to live: {immortal}"


@pytest.fixture
def redis_text(redis: Redis, weir_settings: Settings) -> Iterator[Redis]:
    """A second client on the same database that answers in str, for looking at outputs."""
    with Redis.from_url(weir_settings.redis_url, decode_responses=True, protocol=2) as client:
        yield client
