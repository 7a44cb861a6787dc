"""Logs as JSON, a line a record, with the stream that it is about.

Whoever works on one stream says so once, with `about`; what is logged meanwhile has its figures.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from datetime import datetime, timezone

Told = Callable[[], Mapping[str, str | int]]
"""Asked when a line is written, and not before: most work writes none."""

_about: ContextVar[Told | None] = ContextVar("about", default=None)


class about:
    """Until the end of the block, what is logged is about this."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def __enter__(self) -> None:
        self._token: Token[Told | None] = _about.set(self._told)

    def __exit__(self, *error: object) -> None:
        _about.reset(self._token)


class JsonLines(logging.Formatter):
    """`at`, `level`, `logger`, `message`; `stream`, `epoch` and `entry` if it is about a stream;
    `error` with a traceback, if there was one."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, str | int] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if told := _about.get():
            line |= told()
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)  # all but ASCII is escaped: some signs are ends of lines to some


def set_format(logger: logging.Logger, how: str) -> None:
    """Of all that `logger` writes to; "text" leaves it as it is."""
    if how == "json":
        for handler in logger.handlers:
            handler.setFormatter(JsonLines())
