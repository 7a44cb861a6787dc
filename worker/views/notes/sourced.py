"""What a note may not invent: numbers, and words with capitals. Pure.

`claims` finds them in a text; `Source` knows those that were said. A number is a word with a digit,
or one that people count or date with. A word with a capital is a claim wherever it stands: at the
beginning of a sentence it may also be a word that was said small, or one that is about nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WORD = re.compile(r"[^\s\"“”\\()\[\]/]+")
_EDGES = ".,;:!?…'’-–—"
_COUNTING = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds
thousand thousands million millions billion billions dozen dozens half third fourth fifth sixth
seventh eighth ninth tenth twice monday tuesday wednesday thursday friday saturday sunday january
february april june july august september october november december
"""
COUNTING = tuple(_COUNTING.split())
# Words that a sentence may begin with although nobody said them.
_OPENING = """
A All An And Are As At Because Before Both But By Does During Each Everybody Everyone For From He
How If In Is It Its Nobody No Not On One Only Or People She So Some Somebody Someone Speakers That
The Their There These They This Those To Until We What When Where Whether Which While Who Why With
"""
OPENING = tuple(_OPENING.split())


@dataclass(frozen=True)
class Source:
    """claims: numbers and names that were said, as they were written; a word that only began a
    sentence is no name if it was said small as well. small: words that were said so."""

    claims: frozenset[str]
    small: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Source:
        words = [placed for text in texts for placed in _placed(text)]
        small = frozenset(w for w, _ in words if w == w.lower() and w.isalpha())
        claims = (
            word
            for word, is_first in words
            if _counts(word) or (is_claim(word) and not (is_first and word.lower() in small))
        )
        return cls(frozenset(claims), small)

    def lacks(self, text: str) -> list[str]:
        """The claims of `text` that nobody made."""
        return [word for word, is_first in _placed(text) if not self._has(word, is_first)]

    def _has(self, word: str, is_first: bool) -> bool:
        bare = re.sub(r"['’]s$", "", word)
        if not is_claim(bare) or bare in self.claims:
            return True
        begins = bare in OPENING or (bare.lower() in self.small and bare.istitle())
        return is_first and begins and not _counts(bare)


def is_claim(word: str) -> bool:
    return word != word.lower() or _counts(word)


def _counts(word: str) -> bool:
    parts = word.lower().split("-")
    return any(letter.isdigit() for letter in word) or any(part in COUNTING for part in parts)


def _placed(text: str) -> Iterator[tuple[str, bool]]:
    """Each word, without the marks around it, and whether it begins a sentence."""
    is_first = True
    for found in _WORD.finditer(text):
        word = found.group().strip(_EDGES)
        if word:
            yield word, is_first
            is_first = False
        is_first |= found.group().rstrip("'’").endswith((".", "?", "!", "…"))
