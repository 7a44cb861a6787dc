"""Numbers as they are said: recognisers write "3.5" and "three point five", and both are learnt."""

from __future__ import annotations

import re

_TO_NINETEEN = """zero one two three four five six seven eight nine ten eleven twelve thirteen
fourteen fifteen sixteen seventeen eighteen nineteen"""
_BY_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
_ONES, _TENS = _TO_NINETEEN.split(), ["", *_BY_TENS.split()]
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_NUMBER = re.compile(r"(\$?)(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,3}))?(%?)")
_YEARS = range(1100, 2100)


def spoken(number: str, after: str) -> list[str] | None:
    """The words of `number`, which stands before the word `after`; None when it is no number."""
    match = _NUMBER.fullmatch(number)
    if not match:
        return None
    dollar, whole, decimals, percent = match.groups()
    is_year = len(whole) == 4 and int(whole) in _YEARS and not (dollar or decimals or percent)
    words = _year(int(whole)) if is_year else _integer(int(whole.replace(",", "")))
    if decimals:
        words += ["point", *(_ONES[int(digit)] for digit in decimals)]
    if percent:
        words.append("percent")
    if dollar and not after.startswith(("million", "billion", "trillion", "thousand")):
        words.append("dollars")
    return words


def _integer(number: int) -> list[str]:
    for size, name in _SCALES:
        if number >= size:
            rest = _integer(number % size) if number % size else []
            return [*_integer(number // size), name, *rest]
    if number >= 20:
        return [_TENS[number // 10], *([_ONES[number % 10]] if number % 10 else [])]
    return [_ONES[number]]


def _year(year: int) -> list[str]:
    century, rest = divmod(year, 100)
    if year // 10 == 200 or year % 1000 == 0:
        return _integer(year)
    if rest == 0:
        return [*_integer(century), "hundred"]
    return [*_integer(century), *(["oh"] if rest < 10 else []), *_integer(rest)]
