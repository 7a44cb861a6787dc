"""What a control message says, read from the bytes in the queue. Pure.

Whoever can write to the queue can write anything. What is one of our messages is written anew from
the names in it, and only that reaches Celery; anything else is a `BadMessage`, with the reason.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.keyspace.keys import is_own_key
from worker.settings.rules import is_utf8

ADOPT, ASK = "adopt", "ask"
PREFIX = "weir."
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    ADOPT: ("stream",),
    "release": ("stream",),
    "flush": ("stream",),
    ASK: ("stream", "question"),
    "close": ("stream",),
}
"""The messages, and what each needs. `adopt` may name more streams than one."""

BAD_MESSAGES = ("too_big", "envelope", "task", "arguments", "timing", "failed")
"""Why a message is set aside: the values of a label of `/metrics`."""

MAX_BYTES = 2**20
_MAX_ID = 255


class BadMessage(ValueError):
    """Not one of our messages; `kind` is one of `BAD_MESSAGES`, the text is for people."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class ControlMessage:
    """`verb` is one of ARGUMENTS; `arguments` are as that says, each a text in UTF-8."""

    verb: str
    arguments: tuple[str, ...]
    id: str


def read_message(raw: bytes, now: datetime) -> ControlMessage:
    """Raises BadMessage. `raw` is an envelope as kombu writes it, with a Celery message of protocol
    2 (the task is named in the headers) or 1 (in the body). `now` has a time zone."""
    if len(raw) > MAX_BYTES:
        raise BadMessage("too_big", f"{len(raw)} bytes; at most {MAX_BYTES} are read")
    envelope = _object(_json(raw, "the message"), "the message")
    headers = _object(envelope.get("headers") or {}, "headers")
    body = _json(_body(envelope, headers), "the body")
    if "task" not in headers:
        fields = _object(body, "the body")
        return _message(fields, fields.get("args", []), fields.get("kwargs", {}), now)
    if not isinstance(body, list) or len(body) != 3:
        raise BadMessage("envelope", "the body must be a list: arguments, named ones, and embedded")
    args, kwargs, embedded = body
    if any(_object(embedded or {}, "the body's last part").values()):
        raise BadMessage("arguments", "callbacks, chains and chords are not followed")
    return _message(headers, args, kwargs, now)


def envelope(message: ControlMessage, queue: str) -> dict[str, Any]:
    """The message as kombu would have read it, with nothing in it that its sender wrote but names.

    `id` is its delivery tag as well: one is in hand at a time.
    """
    body = [list(message.arguments), {}, {}]
    return {
        "body": json.dumps(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": PREFIX + message.verb, "id": message.id},
        "properties": {
            "correlation_id": message.id,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": message.id,
        },
    }


def _body(envelope: Mapping[str, Any], headers: Mapping[str, Any]) -> bytes:
    properties = _object(envelope.get("properties") or {}, "properties")
    body = envelope.get("body")
    if not isinstance(body, str):
        raise BadMessage("envelope", "there is no body")
    if envelope.get("content-type") != "application/json":
        raise BadMessage("envelope", "content-type must be application/json")
    if str(envelope.get("content-encoding")).lower() not in ("utf-8", "utf8"):
        raise BadMessage("envelope", "content-encoding must be utf-8")
    if headers.get("compression"):
        raise BadMessage("envelope", "it is compressed; send it as it is")
    try:
        if properties.get("body_encoding") == "base64":
            return base64.b64decode(body, validate=True)
        return body.encode()
    except ValueError as error:
        raise BadMessage("envelope", f"the body cannot be decoded: {error}") from None


def _message(fields: Mapping[str, Any], args: Any, kwargs: Any, now: datetime) -> ControlMessage:
    name, id = fields.get("task"), fields.get("id")
    verb = name.removeprefix(PREFIX) if isinstance(name, str) else ""
    if verb not in ARGUMENTS or name != PREFIX + verb:
        known = ", ".join(PREFIX + verb for verb in ARGUMENTS)
        raise BadMessage("task", f"the task must be one of {known}")
    if not isinstance(id, str) or not 0 < len(id) <= _MAX_ID or not is_utf8(id):
        raise BadMessage("envelope", f"the id must be a text of 1 to {_MAX_ID} characters")
    _check_timing(fields, now)
    return ControlMessage(verb, _arguments(verb, args, kwargs), id)


def _arguments(verb: str, args: Any, kwargs: Any) -> tuple[str, ...]:
    names = ARGUMENTS[verb]
    needs = f"{PREFIX}{verb} needs {' and '.join(names)}"
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise BadMessage("arguments", f"{needs}: as a list, or an object")
    more = args[1:] if verb == ADOPT else []
    args = args[: len(args) - len(more)]
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names) or given.keys() & kwargs or {*given, *kwargs} != {*names}:
        raise BadMessage("arguments", f"{needs}, each once")
    values = (*((given | kwargs)[name] for name in names), *more)
    if not all(isinstance(value, str) and is_utf8(value) for value in values):
        raise BadMessage("arguments", f"{needs}: each a text")
    if any(is_own_key(stream) for stream in (values[0], *more)):
        raise BadMessage("arguments", "what Weir itself writes cannot be an input")
    if verb == ASK and not values[1].strip():
        raise BadMessage("arguments", "the question is empty")
    return values


def _check_timing(fields: Mapping[str, Any], now: datetime) -> None:
    """A message that waited for its time would hold up those behind it."""
    if fields.get("eta"):
        raise BadMessage("timing", "it is done when it comes: send it without eta or countdown")
    expires = fields.get("expires")
    try:
        expiry = datetime.fromisoformat(expires) if expires else now
    except (TypeError, ValueError):
        raise BadMessage("timing", "expires must be a time as in ISO 8601") from None
    if expiry.replace(tzinfo=expiry.tzinfo or now.tzinfo) < now:
        raise BadMessage("timing", f"it came too late: it expired at {expires}")


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise BadMessage("envelope", f"{what} is too deep") from None
    except ValueError as error:  # not UTF-8 is such a one, too
        raise BadMessage("envelope", f"{what} is not JSON: {error}") from None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadMessage("envelope", f"{what} must be a JSON object")
    return value
