"""Looks into JSON of which nothing is sure: what is not there, or is something else, is nothing."""

from __future__ import annotations

import re
from typing import Any

from worker.intake import values

_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def at(value: Any, *path: str | int) -> Any:
    """What lies under these names and places; None if there is no such thing."""
    for step in path:
        if isinstance(step, int):
            has_it = isinstance(value, list) and -len(value) <= step < len(value)
        else:
            has_it = isinstance(value, dict) and step in value
        if not has_it:
            return None
        value = value[step]
    return value


def objects(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """The JSON objects in the list under this path."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def first(item: dict[str, Any], *names: str) -> Any:
    """The value of the first of these names that is there and not null."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def seconds(value: Any, per_second: float = 1.0) -> float | None:
    """A number, or a text that is a time; `per_second`: how many of a number make a second.
    {"seconds": ..., "nanos": ...} is a time of protobuf, which leaves out what is zero."""
    if isinstance(value, dict):
        whole, nanos = (seconds(value.get(key, 0)) for key in ("seconds", "nanos"))
        return None if whole is None or nanos is None else round(whole + nanos / 1e9, 9)
    if isinstance(value, str):
        return values.seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return values.seconds(repr(value / per_second))


def camel(value: Any) -> Any:
    """The same JSON with `result_end_time` called `resultEndTime`, as its other dialect has it."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_UNDERSCORE.sub(lambda m: m[1].upper(), key): camel(it) for key, it in value.items()}


def name(value: Any) -> str | None:
    """A speaker, a language, a channel: text, or a number as recognisers count them."""
    if isinstance(value, str):
        return None if values.is_absent(value.strip()) else value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
