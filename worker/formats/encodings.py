"""Bytes of a file as text: compressed or not, in the encoding that it is in."""

from __future__ import annotations

import codecs
import gzip
import zlib
from contextlib import suppress

from charset_normalizer import from_bytes

from worker.formats.rows import BadFile

_MARKS = (  # of byte order; UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_TEXT = (
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "a zip archive (as .docx is)"),
    (b"ID3", "sound"),
    (b"RIFF", "sound"),
    (b"OggS", "sound"),
    (b"fLaC", "sound"),
    (b"\xff\xfb", "sound"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"{\\rtf", "RTF"),
)
_NUM_PROBED = 4096
_DAMAGED = "\ufffd"
_MANY, _FEW = 10, 8  # letters outside ASCII, for one that is damaged; to judge an encoding by
_USUAL = "cp1252"
_GZIP = b"\x1f\x8b"


def decoded(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding; line breaks are all \\n. Raises BadFile."""
    data = _unpacked(data)
    for start, what in _NO_TEXT:
        if data.startswith(start):
            raise BadFile(f"it is {what}, not text")
    if data[4:8] == b"ftyp":
        raise BadFile("it is video or sound, not text")
    text, encoding = _text(data)
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(f"it is damaged: {str(error).rstrip('.')} (gzip)") from None


def _text(data: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding), encoding
    if b"\x00" in data[:_NUM_PROBED]:
        return _without_mark(data)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _guessed(data)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadFile(f"it is damaged: byte {error.start} is not {encoding.upper()}") from None


def _without_mark(data: bytes) -> tuple[str, str]:
    """Of the two bytes of a letter in UTF-16, one is nearly always nought: the later one in LE."""
    probe = data[:_NUM_PROBED]
    zeros = probe[0::2].count(0), probe[1::2].count(0)
    few, many = min(zeros), max(zeros)
    if len(data) % 2 or many < len(probe) // 5 or few > many // 10:
        raise BadFile("it is not text")
    encoding = "utf-16-le" if zeros[1] == many else "utf-16-be"
    return _strictly(data, encoding), encoding


def _guessed(data: bytes) -> tuple[str, str]:
    """UTF-8 that is damaged here and there, or an encoding from before Unicode: no mark says which.

    Of those that are equally likely, and where there is too little to judge by, it is Windows-1252.
    """
    text = data.decode("utf-8", "replace")
    num_damaged, num_whole = text.count(_DAMAGED), sum(not c.isascii() for c in text)
    if num_whole - num_damaged > _MANY * num_damaged:
        return text, f"utf-8, {num_damaged} bytes of it damaged"
    found = from_bytes(data)
    best = found.best()
    if best is None:
        raise BadFile("it is not text in any encoding that is known")
    is_as_likely = any(m.encoding == _USUAL and m.language == best.language for m in found)
    if is_as_likely or num_whole < _FEW:
        with suppress(UnicodeDecodeError):
            return data.decode(_USUAL), _USUAL
    return str(best), best.encoding
