"""Places where no mark may stand: inside a number, between it and its unit, inside an address.

English words and international signs; in other languages only what is written in digits. Pure.
"""

from __future__ import annotations

_ONES = """zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SCALES = "hundred thousand million billion trillion"
_UNITS = """k m b bn mn tn % percent pct bps mm cm km mg g kg ml l lb lbs oz ft mph kb mb gb tb
kw mw gw kwh hz khz mhz ghz am pm a.m p.m c f dollars dollar euros euro pounds cents bucks degrees
celsius fahrenheit meters metres kilometers kilometres miles feet inches kilos kilograms grams
milligrams litres liters tons tonnes megawatts gigawatts barrels basis"""
_DOMAINS = "com org net edu gov io ai co uk de fr eu us ca au info biz dev app tv me"
ONES, TENS, SCALES, UNITS, DOMAINS = (
    frozenset(words.split()) for words in (_ONES, _TENS, _SCALES, _UNITS, _DOMAINS)
)
COUNTS = ONES | TENS | SCALES


def may_part(words: tuple[str, ...], i: int) -> bool:
    """Whether a mark may stand between words[i] and words[i + 1]. Words as `plain` gives them."""
    if i + 1 >= len(words):
        return True
    word, following = words[i], words[i + 1]
    return not (
        (_is_number(word) and (following in UNITS or following in SCALES))
        or _is_one_number(word, following)
        or _is_point(words, i)
        or _is_point(words, i + 1)
        or _is_joint(words, i)
    )


def _is_number(word: str) -> bool:
    return word in COUNTS or word.lstrip("$\u20ac\u00a3+-")[:1].isdigit()


def _is_one_number(word: str, following: str) -> bool:
    if word in TENS:
        return following in ONES
    if word.isdigit() and following.isdigit():  # "25 000", "555 0199", but "2019, 2020"
        is_thousands = len(word) <= 3 and len(following) == 3
        return is_thousands or {len(word), len(following)} == {3, 4}
    return False


def _is_point(words: tuple[str, ...], i: int) -> bool:
    """Whether words[i] is the point of "three point five"."""
    if not 0 < i < len(words) - 1 or words[i] != "point":
        return False
    return _is_number(words[i - 1]) and _is_number(words[i + 1])


def is_in_address(words: tuple[str, ...], i: int) -> bool:
    """Whether words[i] belongs to "jane at example dot co dot uk", or to "example dot com"."""
    return any(_is_joint(words, j) for j in (i - 1, i) if j >= 0)


def _is_joint(words: tuple[str, ...], i: int) -> bool:
    """Whether words[i] and the next belong to one address."""
    if _is_dot(words, i) or _is_dot(words, i + 1):
        return True
    if words[i] == "at" and i > 0:
        return _is_dot(words, i + 2)
    return words[i + 1 : i + 2] == ("at",) and _is_dot(words, i + 3)


def _is_dot(words: tuple[str, ...], i: int) -> bool:
    """A dot before a domain, or before a part of one: "dot co dot uk"."""
    if not 0 < i < len(words) - 1 or words[i] != "dot":
        return False
    return words[i + 1] in DOMAINS or _is_dot(words, i + 2)
