"""The worker's HTTP face: `/metrics` for Prometheus, `/livez` for whoever restarts workers, and
`/readyz` and `/healthz` for whoever wants to know whether one works.

A standard-library server in threads of its own: a scrape never waits for a step, and a step that
hangs does not silence the answer that says so.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from redis import Redis, RedisError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STALE_SECONDS = 60.0
"""A heartbeat older than this is a hung engine: the slowest step we accept is far shorter."""

Check = Callable[[], "str | None"]
"""None says that all is well, a sentence says what is not."""

Checks = Mapping[str, Check]
"""By the name of what is checked."""


class PortTaken(OSError):
    """The metrics port cannot be bound; the message says which, and how to choose another."""


class Heartbeat:
    """When the engine thread last went round its loop; before the first time it never did."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._clock = clock
        self._stale_seconds = stale_seconds
        self._born = clock()
        self._last: float | None = None

    def beat(self) -> None:
        self._last = self._clock()

    def age_seconds(self) -> float:
        """Seconds since the last beat, or since birth if there was none."""
        return self._clock() - (self._born if self._last is None else self._last)

    @property
    def has_begun(self) -> bool:
        return self._last is not None

    def check(self) -> str | None:
        """A `Check`: what is wrong with the engine thread, if anything."""
        return self.check_alive() if self.has_begun else "the engine is still loading"

    def check_alive(self) -> str | None:
        """A `Check`: whether it hangs; nobody does who is still loading."""
        age = self.age_seconds()
        if self.has_begun and age > self._stale_seconds:
            return f"the engine thread has not gone round for {age:.0f} s"
        return None


def check_redis(redis: Redis) -> str | None:
    """A `Check`, once `redis` is bound: does the server answer?"""
    try:
        redis.ping()
    except RedisError as error:
        return f"Redis does not answer: {error}"
    return None


class HealthServer:
    """Serves `/metrics` of a registry, and pages that say what checks find, until `close`."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, pages: Mapping[str, Checks]
    ) -> None:
        """Bind at once; port 0 takes any free one. Raises PortTaken."""
        self._metrics = make_wsgi_app(registry)
        self._pages = pages
        try:
            self._server = make_server(host, port, self._answer, _ThreadedServer, _QuietRequest)
        except OSError as error:
            raise PortTaken(
                f"metrics server: cannot listen on {host}:{port} ({error.strerror}); set "
                "WEIR_METRICS_HOST and WEIR_METRICS_PORT to what is free, or the port to 0 for none"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="weir-health", daemon=True
        )

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            body: Iterable[bytes] = self._metrics(environ, start)
            return body
        if path in self._pages:
            return _answer_checks(self._pages[path], start)
        start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"here are: {', '.join(['/metrics', *self._pages])}\n".encode()]


def _answer_checks(checks: Checks, start: StartResponse) -> Iterable[bytes]:
    wrong = {name: reason for name, check in checks.items() if (reason := check())}
    status = "503 Service Unavailable" if wrong else "200 OK"
    start(status, [("Content-Type", "application/json")])
    return [json.dumps({"healthy": not wrong, "wrong": wrong}).encode() + b"\n"]


class _ThreadedServer(ThreadingMixIn, WSGIServer):
    # A slow client must neither hold up the next one nor the end of the process.
    daemon_threads = True


class _QuietRequest(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is no news."""
