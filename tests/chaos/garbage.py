"""What may lie in Celery's queue besides our messages: anything that can be pushed to a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

QUEUE = "weir:celery:weir"


def garbage() -> Iterator[bytes]:
    yield from (b"", b"\x00", b"\xff\xfe\xfd", b"garbage", b"null", b"[]", b"{}", b"17", b'"text"')
    yield from (b"true", b"{", b'{"body":', b"[" * 5000, b"x" * 2_000_000, b'{"body": NaN}')
    whole = envelope(["live:plain-0"])
    for field in ("body", "headers", "properties", "content-type", "content-encoding"):
        yield dumped({name: value for name, value in whole.items() if name != field})
        yield dumped({**whole, field: None})
        yield dumped({**whole, field: 17})
    yield dumped({**whole, "body": "no base64!"})
    yield dumped({**whole, "body": base64.b64encode(b"\xff\xfe").decode()})
    yield dumped({**whole, "content-encoding": "utf-99"})
    yield dumped({**whole, "content-type": "application/x-python-serialize"})
    yield dumped(with_properties(whole, body_encoding="rot13"))
    yield dumped(with_properties(whole, delivery_tag=None))
    yield dumped(with_properties(whole, delivery_info=None))
    yield dumped(with_headers(whole, task="weir.destroy"))
    yield dumped(with_headers(whole, task=None))
    yield dumped(with_headers(whole, id=None))
    yield dumped(with_headers(whole, eta="yesterday"))
    yield dumped(with_headers(whole, timelimit="soon"))
    for arguments in ([], [17], [None], [["a"]], ["a", "b", "c"], {"stream": "a"}, ["weir:{a}:x"]):
        yield dumped(envelope(arguments))


def envelope(arguments: Any) -> dict[str, Any]:
    """A message as Celery makes it: `weir.adopt` with these arguments."""
    body = [arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "weir.adopt", "id": "chaos", "root_id": "chaos"},
        "properties": {
            "correlation_id": "chaos",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "weir"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "chaos",
        },
    }


def with_headers(whole: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**whole, "headers": {**whole["headers"], **changes}}


def with_properties(whole: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**whole, "properties": {**whole["properties"], **changes}}


def dumped(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()
