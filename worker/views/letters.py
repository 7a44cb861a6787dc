"""The grammar under which the model restores case and punctuation.

Invariant: whatever the model prefers, the decoded text is the raw words in their order, each in one
of its written cases, each followed by at most one mark. No letter can be lost, added or replaced,
because no token that would do so is ever allowed.

Pure: no Redis, no Celery, no model.
"""

from __future__ import annotations

import re

MARKS = ".,?!;:"
MAX_SHOUTED = 4


def is_raw(text: str) -> bool:
    """Whether `text` has neither capitals nor marks though it has letters that could be capitals.

    A mark inside a word ("3.5", "10:30") is part of the word, as a recogniser writes it.
    """
    can_be_capital = any(char.upper() != char for char in text)
    has_capital = any(char.lower() != char for char in text)
    has_mark = any(word.endswith(tuple(MARKS)) for word in text.split())
    return can_be_capital and not has_capital and not has_mark


def letters(text: str) -> str:
    """What restoration may not change: the words of `text` without closing marks and case."""
    words = " ".join(word.rstrip(MARKS) for word in text.split())
    return "".join(char.lower() if _has_two_cases(char) else char for char in words)


def written_forms(word: str) -> list[str]:
    """`word` as it came, Capitalised and, if it is short, in CAPITALS: small models are too fond of
    these. A character that its other case would turn into other letters (German sharp s, ligatures)
    keeps its form."""
    upper = "".join(_upper(char) for char in word)
    first = next((i for i, char in enumerate(word) if _has_two_cases(char)), None)
    capitalised = word if first is None else word[:first] + upper[first] + word[first + 1 :]
    shouted = [upper] if len(word) <= MAX_SHOUTED else []
    return list(dict.fromkeys([word, capitalised, *shouted]))


def grammar(raw: str) -> str:
    """A regular expression of every way to write `raw` with capitals and marks."""
    return " ".join(_one_of(written_forms(word)) + f"[{MARKS}]?" for word in raw.split())


def pieces(raw: str, *, max_words: int, max_bytes: int) -> list[str] | None:
    """`raw` cut into runs of at most `max_words` words and `max_bytes` bytes; None when one word
    alone is larger than that (no speech is: it is passed through as it came)."""
    runs: list[list[str]] = [[]]
    size = 0
    for word in raw.split():
        num_bytes = len(word.encode()) + 1
        if num_bytes > max_bytes:
            return None
        if len(runs[-1]) == max_words or size + num_bytes > max_bytes:
            runs.append([])
            size = 0
        runs[-1].append(word)
        size += num_bytes
    return [" ".join(run) for run in runs if run]


def _has_two_cases(char: str) -> bool:
    """Whether changing the case of `char` and changing it back gives `char` again."""
    other = char.upper() if char.upper() != char else char.lower()
    return other != char and len(other) == 1 and char in (other.lower(), other.upper())


def _upper(char: str) -> str:
    return char.upper() if _has_two_cases(char) else char


def _one_of(forms: list[str]) -> str:
    return "(" + "|".join(re.escape(form) for form in forms) + ")"
