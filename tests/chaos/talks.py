"""Streams that know what was said in them: every word is one that was never said before, so that a
word that is lost, repeated or out of place is seen without any alignment.

Words are made of syllables, letters only, the first one the stream's own. Pure: no Redis here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from itertools import count
from random import Random

Fields = dict[str, str]

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
# As spoken, and as a recogniser writes it when it has heard a little more. They are the only words
# that may be said again, so the oracle passes over them in streams that are rewritten.
NUMBERS = {"twenty five thousand": "25,000", "one hundred": "100", "nineteen eighty": "1980"}
NUMBER_WORDS = frozenset(" ".join([*NUMBERS, *NUMBERS.values()]).split())
_GARBLED = "x"


def word(stream: int, number: int) -> str:
    """The `number`-th word of a stream."""
    syllables = [_SYLLABLES[stream % len(_SYLLABLES)]]
    while number or len(syllables) < 3:
        number, at = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[at])
    return "".join(syllables)


class Talk(ABC):
    """Entries to publish, one after the other, without an end."""

    is_rewritten = False

    def __init__(self, stream: str, number: int, rng: Random) -> None:
        self.stream = stream
        self._rng = rng
        self._new = (word(number, n) for n in count())

    @abstractmethod
    def next(self) -> Fields:
        """The entry that comes now."""

    def _words(self, least: int, most: int) -> list[str]:
        return [next(self._new) for _ in range(self._rng.randint(least, most))]


class PlainTalk(Talk):
    """Final entries: written ones, raw ones that are restored, long raw ones, some without text."""

    def next(self) -> Fields:
        kind = self._rng.random()
        if kind < 0.03:
            return {"remark": "there is no text in this entry"}
        if kind < 0.035:
            return {"text": " ".join(self._words(41, 43))}
        if kind < 0.12:
            return {"text": " ".join(self._words(2, 5)), "speaker": "Ann"}
        words = self._words(3, 12)
        spice = self._rng.choice(("", "", "Straße", "ŁÓDŹ", "1,234", "don't", "(aside)", "日本語"))
        text = " ".join([words[0].capitalize(), *words[1:], spice]).strip()
        return {"text": f"{text}.", "speaker": self._rng.choice(("Ann", "Bo"))}


class RewrittenTalk(Talk):
    """Hypotheses of a recogniser: a segment grows, its last words are heard wrongly at first (each
    time otherwise), numbers are written otherwise a little later, and at last it is final."""

    is_rewritten = True

    def __init__(self, stream: str, number: int, rng: Random) -> None:
        super().__init__(stream, number, rng)
        self._entries = self._say()
        self._num_garbled = 0
        self._number = number

    def next(self) -> Fields:
        return next(self._entries)

    def _say(self) -> Iterator[Fields]:
        for segment in count(1):
            speaker = self._rng.choice(("Ann", "Bo"))
            for text, is_final in self._hypotheses():
                yield {
                    "text": text,
                    "segment": f"s{segment}",
                    "final": "1" if is_final else "0",
                    "speaker": speaker,
                }

    def _hypotheses(self) -> Iterator[tuple[str, bool]]:
        said = self._words(5, 14)
        for number in self._rng.sample(sorted(NUMBERS), self._rng.randint(0, 2)):
            said.insert(self._rng.randint(1, len(said) - 1), number)
        heard: deque[str] = deque(said)
        shown: list[str] = []
        while heard:
            shown = [NUMBERS.get(w, w) if self._rng.random() < 0.5 else w for w in shown]
            shown += [heard.popleft() for _ in range(min(len(heard), self._rng.randint(1, 3)))]
            yield " ".join([*shown, *self._garbled()]), False
        yield " ".join(NUMBERS.get(w, w) for w in said), True

    def _garbled(self) -> list[str]:
        """What is heard wrongly; never the same twice, so that no two hypotheses agree on it."""
        if self._rng.random() < 0.5:
            return []
        self._num_garbled += 1
        return [_GARBLED + word(self._number, self._num_garbled)]
