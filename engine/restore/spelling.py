"""How a word may be written: its own letters in one of three cases, and at most one mark.

Invariant: `letters(spelled(word, ...)) == letters(word)`, in any script. A character whose other
case is other letters (German sharp s, ligatures) or a third form (titlecase digraphs) keeps its
form. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

MARKS = ".,?!;:"
MIN_SHOUTED = 4
_QUOTES = "\"'\u2018\u2019\u201c\u201d()[]{}\u00ab\u00bb"
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


def letters(text: str) -> str:
    """What restoration may not change: the words of `text` without closing marks and case."""
    words = " ".join(word.rstrip(MARKS) for word in text.split())
    return "".join(char.lower() if _has_two_cases(char) else char for char in words)


def is_raw(text: str) -> bool:
    """Whether `text` has letters that could be capitals, and neither marks nor a choice of case.

    Some recognisers write everything in capitals; fewer words than MIN_SHOUTED may be meant so. A
    mark inside a word ("3.5", "10:30") is part of the word, as a recogniser writes it.
    """
    words = text.split()
    if any(word.rstrip(_QUOTES).endswith(tuple(MARKS)) for word in words):
        return False
    with_case = [char for char in text if _has_two_cases(char)]
    all_capital = all(char.lower() != char for char in with_case)
    if all_capital:
        return len(words) >= MIN_SHOUTED and len(with_case) > len(words)
    return all(char.lower() == char for char in with_case)


def plain(word: str) -> str:
    """The word as the encoder learnt it: lower case, without quotes and closing marks."""
    core = word.strip(_QUOTES).rstrip(MARKS).strip(_QUOTES)
    return core.translate(_STRAIGHT).lower()


def cased(word: str, case: str) -> str:
    """`word` in "lower" case, "Capitalised" or in "UPPER" case."""
    lower = "".join(char.lower() if _has_two_cases(char) else char for char in word)
    upper = "".join(char.upper() if _has_two_cases(char) else char for char in word)
    if case == "UPPER":
        return upper
    first = next((i for i, char in enumerate(word) if _has_two_cases(char)), None)
    if case == "lower" or first is None or any(map(str.isdigit, word[:first])):
        return lower  # "3rd", "10am"
    return lower[:first] + upper[first] + lower[first + 1 :]


def spelled(word: str, case: str, mark: str, names: Mapping[str, str]) -> str:
    """`word` with `mark` behind it, as `names` writes it or else in `case`.

    A word that ends with a mark keeps that one."""
    written = named(word, names) or cased(word, case)
    return written if word.endswith(tuple(MARKS)) else written + mark


def named(word: str, names: Mapping[str, str]) -> str | None:
    """The form that `names` has for `word`, or for what it is the genitive of; None without one."""
    if not names:
        return None
    for ending in ("", "'s", "\u2019s", "'", "\u2019"):
        stem = word.removesuffix(ending) if ending else word
        form = names.get(stem.lower()) if word.endswith(ending) else None
        if form is not None and letters(form) == letters(stem):
            return form + word[len(stem) :].lower()
    return None


def _has_two_cases(char: str) -> bool:
    """Whether changing the case of `char` and changing it back gives `char` again."""
    other = char.upper() if char.upper() != char else char.lower()
    return other != char and len(other) == 1 and char in (other.lower(), other.upper())
