"""What an entry of an input stream may look like. Pure: bytes in, Entry or Rejected out.

An entry is taken whole or rejected whole, with a reason; reading one never raises.

Text keeps every letter. Line breaks and tabs become spaces (a transcript is one line per entry),
other control characters go, those that turn the direction of writing among them: they carry no
letters and would reach somebody's terminal.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LINE_BREAKS = dict.fromkeys([*range(0x09, 0x0E), *range(0x1C, 0x20), 0x85, 0x2028, 0x2029], " ")
_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # of the direction of writing
_CONTROLS = dict.fromkeys([*range(0x00, 0x20), *range(0x7F, 0xA0), 0xFEFF, *_TURNS], None)
_CLEAN = {**_CONTROLS, **_LINE_BREAKS}

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

_KNOWN = frozenset(
    {b"text", b"speaker", b"start", b"end", b"segment", b"final", b"lang", b"end_of_stream"}
)
REJECTIONS = ("no_text", "not_utf8", "too_big", "wrong_type", "trimmed")
_MAX_SHOWN_CHARS = 80
_MAX_REPUBLISHED_CHARS = 2048


@dataclass(frozen=True)
class EntryLimits:
    """How large an entry may be. A field counts with its name."""

    max_bytes: int = 65536
    max_fields: int = 64


@dataclass(frozen=True)
class Entry:
    """One entry as the pipeline reads it. Times are seconds, finite.

    `text` may be empty only if `end_of_stream`. `extra` holds the fields that have no meaning here,
    as they came; bytes that are not UTF-8 are kept as surrogate escapes.
    """

    id: str
    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    segment: str | None = None
    final: bool = True
    lang: str | None = None
    end_of_stream: bool = False
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejected:
    """An entry that cannot be read, and why: `kind` is one of REJECTIONS, `reason` a sentence."""

    id: str
    reason: str
    fields: dict[bytes, bytes]
    kind: str = "wrong_type"

    def republished(self) -> dict[str, str]:
        """What goes to the `:rejected` stream; `raw` is JSON, cut to a bound if it is longer."""
        shown = {_printable(name): _printable(value) for name, value in self.fields.items()}
        raw = json.dumps(shown, ensure_ascii=False)[:_MAX_REPUBLISHED_CHARS]
        return {"entry_id": self.id, "reason": self.reason, "raw": raw}


def id_order(entry_id: str) -> tuple[int, int]:
    """A key that sorts stream ids as Redis does; "5" is "5-0"."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


class _Unreadable(Exception):
    """Says why an entry is rejected; never leaves this file."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def parse_entry(
    entry_id: str, fields: Mapping[bytes, bytes], limits: EntryLimits
) -> Entry | Rejected:
    """Read one entry. Field names are compared byte by byte: `Text` is not `text`."""
    try:
        _check_size(fields, limits)
        return _parse(entry_id, fields)
    except _Unreadable as error:
        return Rejected(entry_id, str(error), dict(fields), error.kind)


def _parse(entry_id: str, fields: Mapping[bytes, bytes]) -> Entry:
    end_of_stream = _flag(fields, b"end_of_stream", default=False)
    text = _text(fields, b"text")
    if text is None and not end_of_stream:
        is_empty = b"text" in fields
        raise _Unreadable("no_text", f"no text: the field is {'empty' if is_empty else 'missing'}")
    return Entry(
        id=entry_id,
        text=text or "",
        speaker=_text(fields, b"speaker"),
        start=_time(fields, b"start"),
        end=_time(fields, b"end"),
        segment=_text(fields, b"segment"),
        final=_flag(fields, b"final", default=True),
        lang=_text(fields, b"lang"),
        end_of_stream=end_of_stream,
        extra={_as_it_came(n): _as_it_came(v) for n, v in fields.items() if n not in _KNOWN},
    )


def _check_size(fields: Mapping[bytes, bytes], limits: EntryLimits) -> None:
    num_bytes = sum(len(name) + len(value) for name, value in fields.items())
    if num_bytes > limits.max_bytes:
        raise _Unreadable(
            "too_big", f"too big: {num_bytes} bytes, at most {limits.max_bytes} are read"
        )
    if len(fields) > limits.max_fields:
        raise _Unreadable(
            "too_big", f"too many fields: {len(fields)}, at most {limits.max_fields} are read"
        )


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str | None:
    """The cleaned text of a field; None if it is missing or has nothing but blanks."""
    try:
        text = fields.get(name, b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Unreadable(
            "not_utf8", f"{name.decode()} is not UTF-8 (byte {error.start})"
        ) from None
    return text.translate(_CLEAN).strip() or None


def _time(fields: Mapping[bytes, bytes], name: bytes) -> float | None:
    text = _text(fields, name)
    if text is None:
        return None
    seconds = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(seconds):
        raise _Unreadable(
            "wrong_type", f"{name.decode()}={_short(text)} is not a number of seconds"
        )
    return seconds


def _flag(fields: Mapping[bytes, bytes], name: bytes, *, default: bool) -> bool:
    text = _text(fields, name)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise _Unreadable("wrong_type", f"{name.decode()}={_short(text)} is not 0, 1, true or false")


def _short(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "...")


def _as_it_came(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _printable(value: bytes) -> str:
    return value[:_MAX_REPUBLISHED_CHARS].decode("utf-8", "backslashreplace")
