"""What an entry of an input stream may look like. Pure: bytes in, Entry or Rejected out.

Words matter more than what is said about them: an entry is rejected for its text alone (there is
none, it is not UTF-8, it is too big). Any other field that cannot be read costs no word: it goes
through as it came, under `input.NAME`, and is named in `unread`. Reading never raises.

Text keeps every letter. Line breaks and tabs become spaces (a transcript is one line per entry),
other control characters go, those that turn the direction of writing among them: they carry no
letters and would reach somebody's terminal.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from worker.intake import values
from worker.intake.names import in_our_words

T = TypeVar("T")

_LINE_BREAKS = dict.fromkeys([*range(0x09, 0x0E), *range(0x1C, 0x20), 0x85, 0x2028, 0x2029], " ")
_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # of the direction of writing
_CONTROLS = dict.fromkeys([*range(0x00, 0x20), *range(0x7F, 0xA0), 0xFEFF, *_TURNS], None)
_CLEAN = {**_CONTROLS, **_LINE_BREAKS}

# What a field may be besides the text; `Entry.unread` names some of these.
ABOUT_THE_TEXT = ("speaker", "start", "end", "segment", "final", "lang", "end_of_stream")
_KNOWN = frozenset({b"text", *(name.encode() for name in ABOUT_THE_TEXT)})
REJECTIONS = ("no_text", "not_utf8", "too_big", "trimmed", "deleted", "lost")
_EARLIEST_CLOCK_MS = 10**12
_MAX_REPUBLISHED_CHARS = 2048
_INPUT = "input."  # before the name of a field that has, in the transcript, another meaning


@dataclass(frozen=True)
class EntryLimits:
    """How large an entry may be. A field counts with its name."""

    max_bytes: int = 65536
    max_fields: int = 64


@dataclass(frozen=True)
class Entry:
    """One entry as the pipeline reads it. Times are seconds, finite.

    `text` may be empty only if `end_of_stream`, or if a `segment` or a `final` came. `extra` holds
    the fields that have no meaning here, as they came; bytes that are not UTF-8 are kept as
    surrogate escapes. `unread` names the fields that have a meaning and could not be read: `extra`
    has each of them as `input.NAME`.
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
    unread: tuple[str, ...] = ()

    def left_out(self, reason: str) -> dict[str, str]:
        """What goes to the `:rejected` stream if all that it says was said before."""
        said = {"text": self.text, "segment": self.segment, "final": str(int(self.final))}
        said |= {"speaker": self.speaker, "id": self.extra.get("id")}
        return _republished(self.id, reason, {n: v for n, v in said.items() if v is not None})


@dataclass(frozen=True)
class Rejected:
    """An entry that cannot be read, and why: `kind` is one of REJECTIONS (of a request it is
    "request"), `reason` a sentence."""

    id: str
    reason: str
    fields: dict[bytes, bytes]
    kind: str = "request"

    def republished(self) -> dict[str, str]:
        """What goes to the `:rejected` stream; `raw` is JSON, cut to a bound if it is longer."""
        shown = {_printable(name): _printable(value) for name, value in self.fields.items()}
        return _republished(self.id, self.reason, shown)


def _republished(entry_id: str, reason: str, shown: dict[str, str]) -> dict[str, str]:
    raw = json.dumps(shown, ensure_ascii=False)[:_MAX_REPUBLISHED_CHARS]
    return {"entry_id": entry_id, "reason": reason, "raw": raw}


def id_order(entry_id: str) -> tuple[int, int]:
    """A key that sorts stream ids as Redis does; "5" is "5-0"."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def id_seconds(entry_id: str) -> float | None:
    """When the server gave this id, in seconds since 1970; None if its publisher made it and it is
    no time: what is earlier than 2001 (as milliseconds) is a number."""
    milliseconds = id_order(entry_id)[0]
    return milliseconds / 1000 if milliseconds >= _EARLIEST_CLOCK_MS else None


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
        return _parse(entry_id, in_our_words(fields))
    except _Unreadable as error:
        return Rejected(entry_id, str(error), dict(fields), error.kind)


def _parse(entry_id: str, fields: Mapping[bytes, bytes]) -> Entry:
    about = _About(fields)
    end_of_stream = about.read("end_of_stream", values.flag, default=False)
    text = _words(fields.get(b"text", b""))
    is_empty = b"text" in fields
    # Of a recogniser's utterance an empty text says something: it is over.
    says_when = is_empty and (b"segment" in fields or b"final" in fields)
    if not (text or end_of_stream or says_when):
        raise _Unreadable("no_text", f"no text: the field is {'empty' if is_empty else 'missing'}")
    extra = {_as_it_came(n): _as_it_came(v) for n, v in fields.items() if n not in _KNOWN}
    return Entry(
        id=entry_id,
        text=text,
        speaker=about.read("speaker", str, default=None),
        start=about.read("start", values.seconds, default=None),
        end=about.read("end", values.seconds, default=None),
        segment=about.read("segment", str, default=None),
        final=about.read("final", values.finality, default=True),
        lang=about.read("lang", str, default=None),
        end_of_stream=end_of_stream,
        extra=about.unread | extra,
        unread=tuple(name.removeprefix(_INPUT) for name in about.unread),
    )


class _About:
    """What the fields of one entry say about its text; what cannot be read is put aside."""

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        self._fields = fields
        self.unread: dict[str, str] = {}

    def read(self, name: str, meaning: Callable[[str], T | None], *, default: T) -> T:
        """`default` where there is nothing, or nothing that can be read."""
        raw = self._fields.get(name.encode(), b"")
        try:
            text = _clean(raw)
        except UnicodeDecodeError:
            value = None
        else:
            if values.is_absent(text):
                return default
            value = meaning(text)
        if value is None:
            self.unread[_INPUT + name] = _as_it_came(raw)
            return default
        return value


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


def _words(raw: bytes) -> str:
    try:
        return _clean(raw)
    except UnicodeDecodeError as error:
        raise _Unreadable("not_utf8", f"text is not UTF-8 (byte {error.start})") from None


def _clean(raw: bytes) -> str:
    """Empty if it has nothing but blanks."""
    return raw.decode("utf-8").translate(_CLEAN).strip()


def _as_it_came(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _printable(value: bytes) -> str:
    return value[:_MAX_REPUBLISHED_CHARS].decode("utf-8", "backslashreplace")
