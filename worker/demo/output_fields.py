"""What the demo reads out of the output keys. Pure: fields in, values out.

A field that is missing or odd becomes a zero or an empty text: a screen shows what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """One transcript entry; `entry` is the id of its input entry, `start` seconds of talk."""

    entry: str
    text: str
    speaker: str
    start: float | None
    is_restored: bool
    continues: bool = False  # it goes on with the entry of the line before

    @classmethod
    def of(cls, fields: Fields) -> Line:
        return cls(
            entry=fields.get("entry", ""),
            text=fields.get("text", ""),
            speaker=fields.get("speaker", ""),
            start=number(fields, "start") if fields.get("start") else None,
            is_restored=fields.get("restored") == "1",
            continues=fields.get("continues") == "1",
        )


@dataclass(frozen=True)
class Summary:
    """One summary; it covers the input entries from id `first` to id `last`."""

    text: str
    first: str
    last: str
    num_tokens: int
    is_final: bool
    seconds: float

    @classmethod
    def of(cls, fields: Fields) -> Summary:
        return cls(
            text=fields.get("text", ""),
            first=fields.get("first", ""),
            last=fields.get("last", ""),
            num_tokens=count(fields, "tokens"),
            is_final=fields.get("final") == "1",
            seconds=number(fields, "seconds"),
        )


@dataclass(frozen=True)
class Memory:
    """One reading of a stream's memory; `at` is unix seconds."""

    at: float
    kv_bytes: int
    kv_bytes_total: int
    rss_bytes: int
    tokens_seen: int
    tokens_slid_out: int
    window_fill: int
    window_size: int

    @classmethod
    def of(cls, fields: Fields) -> Memory:
        return cls(
            at=number(fields, "at"),
            kv_bytes=count(fields, "kv_bytes"),
            kv_bytes_total=count(fields, "kv_bytes_total"),
            rss_bytes=count(fields, "rss_bytes"),
            tokens_seen=count(fields, "tokens_seen"),
            tokens_slid_out=count(fields, "tokens_slid_out"),
            window_fill=count(fields, "window_fill"),
            window_size=count(fields, "window_size"),
        )


def number(fields: Fields, name: str) -> float:
    try:
        return float(fields.get(name) or 0)
    except ValueError:
        return 0.0


def count(fields: Fields, name: str) -> int:
    return int(number(fields, name))
