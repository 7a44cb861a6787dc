"""What was said in a stream, for a question: from its transcript, as far back as is asked for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping

from redis import Redis

from worker.intake.entries import id_seconds
from worker.intake.feed import Line, line_text
from worker.intake.values import seconds
from worker.keyspace.history import newest_first
from worker.keyspace.keys import stream_keys
from worker.views.sentences import Sentence, sentences

MAX_LINES = 100_000  # of the transcript: some days of talk
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def duration(text: str) -> float:
    """An argparse type: `90s`, `10m`, `2h`, `1d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", text.strip())
    if not found or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it as in 90s, 10m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def said_in(redis: Redis, stream: str, last_seconds: float | None) -> list[Sentence]:
    """last_seconds: before the newest line, by the times of the talk or else of the entries; None
    for all."""
    found = list(_newest(redis, stream, last_seconds))
    return sentences(
        [Line(f["entry"], (), line_text(f), f.get("speaker", "")) for f in reversed(found)]
    )


def _newest(redis: Redis, stream: str, last_seconds: float | None) -> Iterator[Mapping[str, str]]:
    lines = newest_first(redis, stream_keys(stream).transcript)
    oldest: float | None = None
    for _, fields in zip(range(MAX_LINES), lines, strict=False):
        if not fields["text"]:
            continue  # the end of a stream, which came at no time of the talk
        at = _time(fields)
        if at is not None and last_seconds is not None:
            oldest = at - last_seconds if oldest is None else oldest
            if at < oldest:
                return
        yield fields


def _time(fields: Mapping[str, str]) -> float | None:
    start = fields.get("start")
    return seconds(start) if start else id_seconds(fields["entry"])
