"""How publishers write times and yes or no, and what each of them means. Pure.

Nothing here raises: None is the answer for what cannot be read, and the caller decides what to do.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

# As programs print what is not there. Other spellings may be somebody's name.
_ABSENT = frozenset({"", "None", "null", "NaN", "nan", "undefined"})

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "off", "n", "f"})
# Final in the words of services: AWS, AssemblyAI, Azure, Speechmatics, Gladia, browsers, people.
_FINAL = _TRUE | {"final", "finaltranscript", "addtranscript", "complete", "completed", "settled"}
_FINAL |= {"recognized", "recognizedspeech", "speech.phrase"}
_HYPOTHESIS = _FALSE | {"partial", "partialtranscript", "addpartialtranscript", "interim"}
_HYPOTHESIS |= {"hypothesis", "recognizing", "recognizingspeech", "speech.hypothesis"}
_HYPOTHESIS |= {"intermediate", "pending", "tentative", "incomplete", "in_progress"}

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_CLOCK = re.compile(r"([+-]?)(?:(\d{1,9}):)?(\d{1,9}):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
_WITH_UNIT = re.compile(r"(\S+?)\s*(ms|msec|millis|milliseconds|s|sec|secs|seconds)", re.ASCII)
_PERIOD = re.compile(
    r"([+-]?)P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d*)?)S)?", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)", re.ASCII)
_ZONE = re.compile(r"([+-]\d\d)(\d\d)?$", re.ASCII)

# No stream lasts for three thousand years: such a number counts smaller units, since 1970.
_EPOCH_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))


def is_absent(text: str) -> bool:
    """Whether the value of a field says that there is none. Not for text: "None" is a word."""
    return text in _ABSENT


def flag(text: str) -> bool | None:
    """Yes or no."""
    return _choice(text, _TRUE, _FALSE)


def finality(text: str) -> bool | None:
    """Whether a text is final: yes or no, or the word of a service for it."""
    return _choice(text, _FINAL, _HYPOTHESIS)


def seconds(text: str) -> float | None:
    """`62.5`, `62,5`, `62.5s`, `62500 ms`, `00:01:02,500`, `PT1M2.5S`: 62.5. A date with a time
    (ISO 8601, UTC if it names no zone) and counts since 1970 in any usual unit: epoch seconds."""
    text = text.strip()
    if not text.isascii():
        return None
    for read in (_plain, _clock, _with_unit, _period, _date):
        value = read(text)
        if value is not None:
            return value if math.isfinite(value) else None
    return None


def _choice(text: str, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    word = text.strip().lower()
    number = _number(word)
    if word in yes or number == 1:
        return True
    return False if word in no or number == 0 else None


def _number(text: str) -> float | None:
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def _plain(text: str) -> float | None:
    number = _number(text)
    if number is None:
        return None
    # A negative count is a time before the start, however large.
    return next((number / per_second for below, per_second in _EPOCH_UNITS if number < below), None)


def _clock(text: str) -> float | None:
    """Minutes may be more than 59 where no hours are given, as some captions have it."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    sign, hours, minutes, rest = match.groups()
    within = float(rest.replace(",", "."))
    if within >= 60 or (hours and int(minutes) >= 60):
        return None
    return _signed(sign, int(hours or 0) * 3600 + int(minutes) * 60 + within)


def _with_unit(text: str) -> float | None:
    match = _WITH_UNIT.fullmatch(text.lower())
    number = _number(match[1]) if match else None
    if not match or number is None:
        return None
    return number / 1000 if match[2].startswith("m") else number


def _period(text: str) -> float | None:
    match = _PERIOD.fullmatch(text)
    if not match or not any(match.groups()[1:]):
        return None
    sign, *parts = match.groups()
    days, hours, minutes, rest = (float((part or "0").replace(",", ".")) for part in parts)
    return _signed(sign, days * 86400 + hours * 3600 + minutes * 60 + rest)


def _signed(sign: str, value: float) -> float:
    return -value if sign == "-" else value


def _date(text: str) -> float | None:
    """Python 3.10 reads a fraction of three or six digits only, no Z, and no zone but +01:00."""
    if not _DATE.match(text):
        return None
    plain = _FRACTION.sub(lambda match: "." + match[1][:6].ljust(6, "0"), text.upper())
    plain = plain[:13] + _ZONE.sub(lambda match: f"{match[1]}:{match[2] or '00'}", plain[13:])
    try:
        when = datetime.fromisoformat(plain.removesuffix("Z"))
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return when.timestamp()
