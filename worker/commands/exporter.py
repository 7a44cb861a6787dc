"""Serve Prometheus what Redis knows of all streams and of itself: true also when no worker runs."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from functools import partial

from worker.exporter.collector import RedisCollector
from worker.exporter.reading import read
from worker.keyspace.connection import connect_briefly
from worker.keyspace.trouble import trouble_line
from worker.settings.config import Settings
from worker.settings.options import (
    SERVER_SETTINGS,
    UsageError,
    add_settings,
    settings_from,
    whole_number,
)
from worker.watch.health import HealthServer, PortTaken
from worker.watch.logs import set_format
from worker.watch.steady_registry import SteadyRegistry

_REPLY_SECONDS = 2.0  # Prometheus waits for 5 s here; who gave up by then could not say why


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address of /metrics (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=9465,
        help="port of /metrics (default: %(default)s; 0: any that is free)",
    )
    parser.add_argument(
        "--worst",
        type=whole_number(0, 1000),
        default=20,
        metavar="NUM",
        help="how many streams are named at most, of those furthest behind and of those in trouble"
        " (default: %(default)s)",
    )
    add_settings(parser, (*SERVER_SETTINGS, "pattern", "log_format"))


def run(arguments: argparse.Namespace) -> int:
    """Until SIGTERM or Ctrl-C. A server that is away now may come later."""
    settings = settings_from(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    set_format(logging.getLogger(), settings.log_format)
    server = _server(settings, arguments)
    server.start()
    print(f"metrics at http://{arguments.host}:{server.port}/metrics", flush=True)
    _wait_for_the_end()
    server.close()
    return 0


def _server(settings: Settings, arguments: argparse.Namespace) -> HealthServer:
    redis = connect_briefly(settings, _REPLY_SECONDS)
    registry = SteadyRegistry()
    collector = RedisCollector(
        partial(read, redis, settings.patterns),
        num_worst=arguments.worst,
        explain=partial(trouble_line, settings.redis_url),
    )
    registry.register(collector)
    try:
        return HealthServer(arguments.host, arguments.port, registry, {})
    except PortTaken as error:
        taken = f"--port={arguments.port}: cannot listen on {arguments.host}: {error.__cause__}"
        raise UsageError(f"{taken}; name one that is free, or 0 for any") from None


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
