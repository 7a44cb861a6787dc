"""What `weir demo` does: put everything up, perform, put everything away, report.

The worker ends before the server, so that it can commit what it has. Nothing is left behind, but
for the worker's log if the worker failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.text import Text

from engine import ModelRefused
from worker.demo.conductor import Conductor
from worker.demo.model import fetch_model
from worker.demo.options import DemoOptions
from worker.demo.processes import WorkerFailed, WorkerProcess
from worker.demo.report import early_end_lines, is_complete, report_lines
from worker.demo.speaking import Feed
from worker.demo.state import DemoState
from worker.demo.talk import BadTalk, Utterance, read_talk
from worker.demo.views import LiveView, MakeView, PlainView
from worker.demo.watch import Watch
from worker.keyspace.embedded import EmbeddedServer, EmbeddedServerError
from worker.keyspace.keys import stream_keys
from worker.keyspace.publisher import Publisher

STREAM = "live:demo"
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(arguments: argparse.Namespace, *, make_view: MakeView | None = None) -> int:
    """`arguments` as `options.add_arguments` defines them. Returns the exit code of the command.

    make_view: another face than the live screen or, for pipes and `--plain`, lines.
    """
    options = DemoOptions.of(arguments)
    make_view = make_view or _usual_view(options)
    try:
        talk = read_talk(options.file)
        fetch_model(options.model, os.environ, partial(print, flush=True))
        with _stop_signals() as stopped:
            return _demo(options, talk, make_view, stopped)
    except (BadTalk, EmbeddedServerError, ModelRefused, WorkerFailed) as error:
        sys.stderr.write(f"weir demo: {error}\n")
        return EXIT_FAILED
    except RedisError as error:
        sys.stderr.write(f"weir demo: the embedded Valkey is gone ({error}); start again\n")
        return EXIT_FAILED
    except KeyboardInterrupt:  # while the talk was read: nothing was started yet
        return EXIT_INTERRUPTED


def _demo(
    options: DemoOptions, talk: list[Utterance], make_view: MakeView, stopped: threading.Event
) -> int:
    console = Console()
    names = [STREAM, *(f"{STREAM}-{n}" for n in range(2, options.streams + 1))]
    state = DemoState.of(names, len(talk))
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer())
        redis = stack.enter_context(_client(server.url))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-demo-"))
        worker = stack.enter_context(WorkerProcess(worker_settings(server.url, folder, options)))
        headline = f"{STREAM} on an embedded Valkey, 127.0.0.1:{server.port} (Ctrl-C ends it)"
        view = make_view(console, headline, _hints(server))
        stack.callback(view.close)
        feed = Feed([Publisher(redis, name) for name in names], talk, options.speed)
        watch = Watch(redis, state, talk)
        conductor = Conductor(state, feed, watch, worker, view, stopped)
        conductor.perform(keep=options.keep)
    return _report(console, state)


def worker_settings(redis_url: str, folder: str, options: DemoOptions) -> dict[str, str]:
    """The `WEIR_*` variables of the demo's worker; all others are as the user has set them."""
    settings = {
        "WEIR_REDIS_URL": redis_url,
        "WEIR_PATTERN": f"{STREAM}*",
        "WEIR_DISCOVER_SECONDS": "0.2",
        "WEIR_SNAPSHOT_DIR": folder,
        "WEIR_PARK_DIR": folder,
        "WEIR_METRICS_PORT": "0",
    }
    return settings | ({"WEIR_MODEL": options.model} if options.model else {})


def _client(url: str) -> Redis:
    return Redis.from_url(url, protocol=2, decode_responses=True, encoding_errors="replace")


def _usual_view(options: DemoOptions) -> MakeView:
    has_screen = sys.stdout.isatty() and not Console().is_dumb_terminal
    return LiveView if has_screen and not options.plain else PlainView


def _hints(server: EmbeddedServer) -> list[str]:
    """How to look at the keys from outside while it runs."""
    weir = sys.argv[0] if Path(sys.argv[0]).name == "weir" else "weir"  # it may not be on the path
    return [
        f"redis-cli -p {server.port} XREVRANGE '{stream_keys(STREAM).summary}' + - COUNT 1",
        f"{weir} tail {STREAM} --redis-url {server.url}",
    ]


def _report(console: Console, state: DemoState) -> int:
    lines = report_lines(state) if state.is_done else early_end_lines(state)
    for line in lines:
        console.print(Text(line), highlight=False, soft_wrap=True)
    if not state.is_done:
        return EXIT_INTERRUPTED
    return 0 if is_complete(state) else EXIT_FAILED


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, instead of what else they do."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield stopped
    finally:
        for number, action in before.items():
            signal.signal(number, action)
