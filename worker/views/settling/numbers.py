"""How numbers in digits are said in English, each way as words: 25,000 is "twenty five thousand".

More ways than one: 123 is a hundred and twenty three, one two three, or one twenty three; 1984 is
nineteen eighty four. Which was meant is decided by comparing with what was heard before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.views.settling.words import Words

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"€": "euro", "$": "dollar", "£": "pound", "¥": "yen", "₹": "rupee"}
_AFTER = {
    "%": ("percent",),
    "k": ("thousand",),
    "m": ("million",),
    "bn": ("billion",),
    "°": ("degrees",),
}
_FORM = re.compile(
    r"(?P<before>[€$£¥₹]?)(?P<whole>\d{1,3}(?:[,.]\d{3})+|\d+)(?:[.:](?P<rest>\d{1,6}))?"
    r"(?P<after>[€$£¥₹%°]|st|nd|rd|th|s|k|m|bn|)"
)
_MAX_DIGITS = 15


def said(written: str) -> list[Words]:
    """The ways to say a number as it is written ("€25,000", "7:30", "2nd"); none if it is none."""
    match = _FORM.fullmatch(written.lower().strip("()[]\"'.,;:!?"))
    if match is None:
        return []
    before, whole, rest, after = match.group("before", "whole", "rest", "after")
    digits = re.sub(r"\D", "", whole)
    if len(digits) > _MAX_DIGITS:
        return [_one_by_one(digits)]
    amounts = [way + tail for way in _whole(digits) for tail in _rest(rest)]
    return list(dict.fromkeys(_with_unit(amounts, before, after)))


def _with_unit(amounts: list[Words], before: str, after: str) -> Iterator[Words]:
    currency = _CURRENCIES.get(before or after)
    for amount in amounts:
        if currency:
            yield (*amount, f"{currency}s")
            yield (*amount, currency)
            yield amount
        elif after in ("st", "nd", "rd", "th"):
            yield (*amount[:-1], _ordinal(amount[-1]))
        elif after == "s":
            yield (*amount[:-1], _plural(amount[-1]))
        else:
            yield (*amount, *_AFTER.get(after, ()))
            if after == "%":
                yield (*amount, "per", "cent")


def _whole(digits: str) -> Iterator[Words]:
    number = int(digits)
    if not digits.startswith("0") or digits == "0":
        yield _cardinal(number, "")
        yield _cardinal(number, "and")
    if len(digits) in (3, 4) and digits[0] != "0":  # 415: four fifteen; 1984: nineteen eighty four
        first, second = divmod(number, 100)
        low = ("oh", _ONES[second]) if 0 < second < 10 else _cardinal(second, "")
        yield (*_cardinal(first, ""), *(("hundred",) if second == 0 else low))
    yield _one_by_one(digits)
    if "0" in digits:
        yield tuple("oh" if word == "zero" else word for word in _one_by_one(digits))


def _rest(rest: str | None) -> list[Words]:
    if not rest:
        return [()]
    one_by_one = ("point", *_one_by_one(rest))
    together = _cardinal(int(rest), "") if rest[0] != "0" else ("oh", *_one_by_one(rest[1:]))
    return [one_by_one, together, ("point", *together)] + ([()] if int(rest) == 0 else [])


def _cardinal(number: int, joint: str) -> Words:
    for scale, name in _SCALES:
        if number >= scale:
            low = number % scale
            return (*_cardinal(number // scale, joint), name, *_low(low, joint))
    if number >= 100:
        return (_ONES[number // 100], "hundred", *_low(number % 100, joint))
    if number >= 20:
        return (_TENS[number // 10], *(() if number % 10 == 0 else (_ONES[number % 10],)))
    return (_ONES[number],)


def _low(number: int, joint: str) -> Words:
    if number == 0:
        return ()
    return (*((joint,) if joint and number < 100 else ()), *_cardinal(number, joint))


def _one_by_one(digits: str) -> Words:
    return tuple(_ONES[int(digit)] for digit in digits)


def _ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"


def _plural(word: str) -> str:
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
