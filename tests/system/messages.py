"""Control messages as a stranger may leave them in the queue: good ones, and every kind of bad."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

QUEUE = "weir:celery:weir"
ASIDE = "weir:celery:rejected"


def encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def envelope(verb: str, *args: Any, id: str = "an-id") -> dict[str, Any]:
    """What Celery and kombu write, field by field."""
    return {
        "body": encoded([args, {}, {"callbacks": None, "errbacks": None, "chain": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": f"weir.{verb}",
            "id": id,
            "eta": None,
            "expires": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": id,
            "argsrepr": repr(args),
            "kwargsrepr": "{}",
        },
        "properties": {
            "correlation_id": id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "weir"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": f"tag-of-{id}",
        },
    }


def packed(message: Any) -> bytes:
    return json.dumps(message).encode()


def changed(*path: str, to: Any = None, drop: bool = False) -> bytes:
    """A good message with one thing in it another."""
    message = envelope("flush", "live:x")
    place = message
    for name in path[:-1]:
        place = place[name]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return packed(message)


def with_body(text: str | bytes, **properties: Any) -> bytes:
    message = envelope("flush", "live:x")
    text = text if isinstance(text, bytes) else text.encode()
    message["body"] = base64.b64encode(text).decode()
    message["properties"] |= properties
    return packed(message)


def with_arguments(verb: str, args: Any, kwargs: Any, embedded: Any = None) -> bytes:
    message = envelope(verb)
    message["body"] = encoded([args, kwargs, embedded])
    return packed(message)


def with_headers(**headers: Any) -> bytes:
    message = envelope("flush", "live:x")
    message["headers"] |= headers
    return packed(message)


BAD: dict[str, tuple[str, bytes]] = {
    # what it is: the kind that is counted, the bytes
    "nothing": ("envelope", b""),
    "a word": ("envelope", b"hello"),
    "half a message": ("envelope", packed(envelope("flush", "live:x"))[:200]),
    "not UTF-8": ("envelope", b"\xff\xfe\xfa\x80"),
    "zero bytes": ("envelope", b"\0" * 64),
    "not UTF-8 in a string": ("envelope", b'{"body": "\xc3\x28"}'),
    "null": ("envelope", b"null"),
    "true": ("envelope", b"true"),
    "a number": ("envelope", b"17"),
    "NaN": ("envelope", b"NaN"),
    "a number too long": ("envelope", b"1" * 5000),
    "a string": ("envelope", b'"weir.flush"'),
    "a list": ("envelope", b"[]"),
    "a list of messages": ("envelope", packed([envelope("flush", "live:x")])),
    "too deep": ("envelope", b"[" * 200_000 + b"]" * 200_000),
    "an empty object": ("envelope", b"{}"),
    "a pickle": ("envelope", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x04weir\x94."),
    "huge": ("too_big", packed("x" * 8_000_000)),
    "huge and ours": ("too_big", with_arguments("ask", ["live:x", "?" * 2_000_000], {})),
    "no body": ("envelope", changed("body", drop=True)),
    "a body of null": ("envelope", changed("body")),
    "an empty body": ("envelope", changed("body", to="")),
    "a body that is an object": ("envelope", changed("body", to={"a": 1})),
    "no base64": ("envelope", changed("body", to="%%% no base64 %%%")),
    "half of base64": ("envelope", changed("body", to="abc")),
    "base64 with letters of another script": ("envelope", changed("body", to="Größe")),
    "a body not JSON": ("envelope", with_body("not json")),
    "a body not UTF-8": ("envelope", with_body(b"\xff\xff\xff")),
    "a body too deep": ("envelope", with_body("[" * 100_000)),
    "a body of null inside": ("envelope", with_body("null")),
    "a body of too few parts": ("envelope", with_body("[[], {}]")),
    "a body of too many parts": ("envelope", with_body("[[], {}, {}, {}]")),
    "an unknown body encoding": ("envelope", changed("properties", "body_encoding", to="rot13")),
    "a body encoding that is none": ("envelope", changed("properties", "body_encoding", to=[1])),
    "no properties": ("envelope", changed("properties", drop=True)),
    "properties that are a list": ("envelope", changed("properties", to=[1])),
    "headers that are a list": ("envelope", changed("headers", to=["task"])),
    "headers that are a string": ("envelope", changed("headers", to="task")),
    "no headers": ("envelope", changed("headers", drop=True)),
    "a content type of pickle": ("envelope", changed("content-type", to="application/x-pickle")),
    "a content type of YAML": ("envelope", changed("content-type", to="application/x-yaml")),
    "no content type": ("envelope", changed("content-type", drop=True)),
    "a content type that is a number": ("envelope", changed("content-type", to=5)),
    "an unknown charset": ("envelope", changed("content-encoding", to="klingon")),
    "a charset that is an object": ("envelope", changed("content-encoding", to={})),
    "compressed": ("envelope", with_headers(compression="application/x-gzip")),
    "compressed indeed": ("envelope", with_body(gzip.compress(b"[[], {}, {}]"))),
    "no such compression": ("envelope", with_headers(compression="application/x-none")),
    "no task": ("envelope", changed("headers", "task", drop=True)),
    "a task of null": ("task", with_headers(task=None)),
    "a task that is a list": ("task", with_headers(task=["weir.flush"])),
    "an unknown task": ("task", with_headers(task="weir.explode")),
    "a task of another's": ("task", with_headers(task="proj.tasks.add")),
    "one of Celery's own": ("task", with_headers(task="celery.backend_cleanup")),
    "a task without its first name": ("task", with_headers(task="flush")),
    "no id": ("envelope", changed("headers", "id", drop=True)),
    "an id that is a number": ("envelope", with_headers(id=7)),
    "an id that is empty": ("envelope", with_headers(id="")),
    "an id that is a list": ("envelope", with_headers(id=["a"])),
    "an id that is half a letter": ("envelope", with_headers(id="\ud800")),
    "an id of a page": ("envelope", with_headers(id="x" * 5000)),
    "no arguments": ("arguments", with_arguments("flush", [], {})),
    "too many arguments": ("arguments", with_arguments("flush", ["live:x", "b", "c"], {})),
    "arguments that are an object": ("arguments", with_arguments("flush", {"stream": "a"}, {})),
    "arguments that are a string": ("arguments", with_arguments("flush", "live:x", {})),
    "arguments of null": ("arguments", with_arguments("flush", None, None)),
    "named arguments that are a list": ("arguments", with_arguments("flush", ["live:x"], [1])),
    "an argument twice": ("arguments", with_arguments("flush", ["live:x"], {"stream": "b"})),
    "an unknown argument": ("arguments", with_arguments("flush", ["live:x"], {"force": True})),
    "a stream that is a number": ("arguments", with_arguments("adopt", [7], {})),
    "a stream of null": ("arguments", with_arguments("adopt", [None], {})),
    "a stream that is a list": ("arguments", with_arguments("adopt", [["live:x"]], {})),
    "a stream that is half a letter": ("arguments", with_arguments("adopt", ["live:\ud83d"], {})),
    "a key of ours": ("arguments", with_arguments("adopt", ["weir:{a}:transcript"], {})),
    "a key of ours among others": (
        "arguments",
        with_arguments("adopt", ["live:x", "weir:{a}:transcript"], {}),
    ),
    "a number among streams": ("arguments", with_arguments("adopt", ["live:x", 7], {})),
    "no question": ("arguments", with_arguments("ask", ["live:x"], {})),
    "an empty question": ("arguments", with_arguments("ask", ["live:x", "  "], {})),
    "a question that is a list": ("arguments", with_arguments("ask", ["live:x", ["?"]], {})),
    "callbacks": (
        "arguments",
        with_arguments("flush", ["live:x"], {}, {"callbacks": [{"task": "weir.close"}]}),
    ),
    "callbacks that are a list": ("envelope", with_arguments("flush", ["live:x"], {}, [1])),
    "a time to be done at": ("timing", with_headers(eta="2999-01-01T00:00:00+00:00")),
    "no time to be done at": ("timing", with_headers(eta="tomorrow")),
    "a time that has passed": ("timing", with_headers(expires="2001-01-01T00:00:00+00:00")),
    "a time that is none": ("timing", with_headers(expires="soon")),
    "a time that is a list": ("timing", with_headers(expires=[1])),
    "protocol 1 without a task": ("task", packed(envelope("x") | {"headers": {}, "body": "e30="})),
}
