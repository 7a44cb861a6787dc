"""Every stream: its owner, how far it is behind, tokens, window and memory, its last summary."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from redis import Redis
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.commands.named_stream import known_stream
from worker.commands.named_worker import full_name, workers_of
from worker.keyspace.connection import connect
from worker.keyspace.figures import StreamFigures, figures
from worker.keyspace.lease import owner_of, process_of
from worker.keyspace.workers import Order
from worker.settings.config import Settings
from worker.settings.options import SERVER_SETTINGS, UsageError, add_settings, settings_from

_WATCH_SECONDS = 1.0
_MOVE_SECONDS, _LOOK_SECONDS = 10.0, 0.05
_COLUMNS = ("stream", "status", "owner", "lag", "behind", "tokens", "window", "memory", "summary")
_NAMES = ("stream", "status", "owner")
_UNKNOWN = "-"
_PIPE_WIDTH = 10_000  # whoever reads a pipe wants whole names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object per line and stream")
    form.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    form.add_argument(
        "--move", nargs=2, metavar=("KEY", "WORKER"), help="hand a stream to a worker (HOST:PID)"
    )
    add_settings(parser, (*SERVER_SETTINGS, "pattern"))


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    with connect(settings) as redis:
        if arguments.move:
            return _move(redis, settings, *arguments.move)
        if arguments.watch:
            _watch(redis, settings.patterns)
        lines = figures(redis, settings.patterns)
    if arguments.json:
        for line in lines:
            print(json.dumps(asdict(line), ensure_ascii=False))
    elif lines:
        console = Console()
        width = None if console.is_terminal else max(console.width, _PIPE_WIDTH)
        console.print(_table(lines), width=width)
    else:
        print(f"no stream matches {settings.pattern} (WEIR_PATTERN)")
    return 0


def _move(redis: Redis, settings: Settings, key: str, worker: str) -> int:
    known_stream(redis, key)
    workers = workers_of(redis, settings)
    receiver, began_at = full_name(workers, worker), time.monotonic()
    giver = owner_of(redis, key)
    if giver is None:
        workers.send(receiver, Order("take", key))
    elif giver != receiver:
        workers.send(giver, Order("give", key, receiver))
    while owner_of(redis, key) != receiver:
        if time.monotonic() - began_at > _MOVE_SECONDS:
            raise UsageError(
                f"{key} is not there after {_MOVE_SECONDS:.0f} s; see that worker's log"
            )
        time.sleep(_LOOK_SECONDS)
    print(f"{key} is with {process_of(receiver)}")
    return 0


def _watch(redis: Redis, patterns: Sequence[str]) -> None:
    """Until Ctrl-C."""
    with Live(_table([]), auto_refresh=False) as live:
        while True:
            live.update(_table(figures(redis, patterns)), refresh=True)
            time.sleep(_WATCH_SECONDS)


def _table(lines: Sequence[StreamFigures]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        is_name = column in _NAMES
        # In a narrow terminal the names give way: figures that are cut say something else.
        table.add_column(column, justify="left" if is_name else "right", no_wrap=not is_name)
    for line in lines:
        # Text: a name like `live:[/b]` or `live:x:` is neither markup nor an emoji.
        cells = (Text(_printable(cell)) for cell in _cells(line))
        table.add_row(*(_one_line(cell) for cell in cells))
    return table


def _one_line(cell: Text) -> Text:
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def _printable(text: str) -> str:
    """Anybody may name a key; its name must not move the cursor."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _cells(line: StreamFigures) -> tuple[str, ...]:
    return (
        line.stream,
        line.status,
        process_of(line.owner) if line.owner else _UNKNOWN,
        f"{line.lag_entries:,}",
        _duration(line.lag_seconds),
        f"{line.tokens_seen:,}",
        _UNKNOWN if line.window_size is None else f"{line.window_fill}/{line.window_size}",
        _UNKNOWN if line.kv_bytes is None else f"{line.kv_bytes / 2**20:.1f} MiB",
        _UNKNOWN if line.summary_id is None else f"{_duration(line.summary_age_seconds)} ago",
    )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _UNKNOWN
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
