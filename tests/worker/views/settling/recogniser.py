"""A recogniser that knows what was said: it rewrites itself as real ones do, and we know the truth.

Every spoken word is unique, and so is every way in which it may be written here. Whatever was
published can therefore be read back as the numbers of spoken words, without aligning anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from worker.intake.entries import Entry

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
FILLERS = ("um", "uh", "hmm")
EXTRAS = ("so", "well", "and")  # words that a later hypothesis has before the others
PHRASES = {  # how numbers are said, and in digits
    ("twenty", "five", "thousand", "euros"): "€25,000",
    ("three", "hundred", "and", "sixty"): "360",
    ("nineteen", "eighty", "four"): "1984",
    ("seven", "thirty"): "7:30",
    ("one", "two", "three", "four", "five"): "12345",
    ("fifty", "percent"): "50%",
    ("twenty", "second"): "22nd",
}


@dataclass(frozen=True)
class Spoken:
    """One thing that was said: it takes up the numbers `first` to `first + len(forms) - 1`."""

    words: tuple[str, ...]  # as they are said
    short: str = ""  # all of them as one written word, if there is one
    kind: str = "word"


@dataclass
class Talk:
    """The things said in one utterance, and which spoken numbers each written word stands for."""

    spoken: list[Spoken]
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def num_words(self) -> int:
        return sum(len(thing.words) for thing in self.spoken)


def unique_words(rng: random.Random) -> Iterator[str]:
    """Words that differ in their first four letters, and those from what is left of the others, so
    that a half of one is known too."""
    seen = set[str]()
    while True:
        word = "".join(
            rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.choice((3, 4)))
        )
        if not seen & {word[:4], word[4:]} and word[:4] != word[4:]:
            seen |= {word[:4], word[4:]}
            yield word


def talk(rng: random.Random, words: Iterator[str], *, max_things: int = 14) -> Talk:
    things = []
    phrases = rng.sample(sorted(PHRASES), 1)
    for _ in range(rng.randint(1, max_things)):
        draw = rng.random()
        if draw < 0.08 and phrases:
            phrase = phrases.pop()
            things.append(Spoken(phrase, PHRASES[phrase], "number"))
        elif draw < 0.18:
            word = next(words)
            things.append(Spoken((word, "will"), f"{word}'ll", "contraction"))
        elif draw < 0.3:
            one, other = next(words), next(words)
            things.append(Spoken((one, other), one + other, "joined"))
        else:
            things.append(Spoken((next(words),)))
    return Talk(things)


@dataclass
class Recogniser:
    """Writes what was said so far, each time a little otherwise.

    `rate`: how often something is written in another way than the last time."""

    talk: Talk
    rng: random.Random
    rate: float = 0.15

    def __post_init__(self) -> None:
        self._ways = ["said" for _ in self.talk.spoken]
        self._has_extra = False
        self._doubled = set[int]()
        self.has_doubled = False  # ever
        self._fillers = set[int]()

    def hypothesis(self, num_things: int, *, cut: bool = False, clean: bool = False) -> str:
        """The first things that were said. cut: the last word is heard in part. clean: as finals
        are: without fillers and doubled words."""
        self._change_some(num_things, clean=clean)
        written: list[str] = []
        if self._has_extra:
            written.append(EXTRAS[0])
        for index, thing in enumerate(self.talk.spoken[:num_things]):
            if index in self._fillers:
                written.append(self.rng.choice(FILLERS))
            words = self._written(index, thing)
            written += words
            if index in self._doubled:
                written += words
        if cut and self.talk.spoken[num_things - 1].kind == "word" and len(written[-1]) > 5:
            written[-1] = written[-1][:4]
        return self._dressed(written)

    def _change_some(self, num_things: int, *, clean: bool) -> None:
        rng = self.rng
        for index in range(num_things):
            if rng.random() < self.rate:
                self._ways[index] = rng.choice(("said", "short", "said", "other"))
            if rng.random() < self.rate / 4:
                self._fillers ^= {index}
            if rng.random() < self.rate / 4 and len(self.talk.spoken[index].words) == 1:
                self._doubled ^= {index}
                self.has_doubled = True
        if rng.random() < self.rate / 3:
            self._has_extra = not self._has_extra
        if clean:
            self._fillers.clear()
            self._doubled.clear()

    def _written(self, index: int, thing: Spoken) -> list[str]:
        way = self._ways[index]
        if way == "short" and thing.short:
            return [thing.short]
        is_once = index not in self._doubled
        if way == "short" and len(thing.words[0]) > 6 and is_once:  # one word made two
            return [thing.words[0][:4], thing.words[0][4:], *thing.words[1:]]
        if way == "other" and thing.kind == "word":
            return [misheard(thing.words[0])]
        return list(thing.words)

    def _dressed(self, words: Sequence[str]) -> str:
        """With a capital here and a mark there."""
        rng = self.rng
        dressed = [
            (word.capitalize() if rng.random() < 0.1 else word)
            + (rng.choice(",.?") if rng.random() < 0.1 else "")
            for word in words
            if word
        ]
        return " ".join(dressed)


def misheard(word: str) -> str:
    """One letter after the first four is another."""
    return word[:-1] + ("y" if word[-1] != "y" else "x")


def read_back(published: str, said: Talk) -> list[int]:
    """The numbers of the spoken words that were published, in order.

    What nobody said on purpose (fillers, extras) is passed over; so is a word said twice in a row
    where the recogniser had it so."""
    forms = _forms(said)
    numbers: list[int] = []
    for token in published.lower().split():
        word = token.strip(",.?!")
        if word in FILLERS or (word in EXTRAS and not _is_due(word, numbers, said)):
            continue
        numbers += _numbers_of(word, numbers, forms, said)
    return numbers


def _numbers_of(
    word: str, so_far: list[int], forms: dict[str, tuple[int, ...]], said: Talk
) -> tuple[int, ...]:
    following = so_far[-1] + 1 if so_far else 0
    if word in _shared() and _spoken_at(said, following) == word:
        return (following,)
    if word in forms:
        return forms[word]
    raise AssertionError(f"nobody said {word!r}")


def _is_due(word: str, numbers: list[int], said: Talk) -> bool:
    return _spoken_at(said, numbers[-1] + 1 if numbers else 0) == word


def _spoken_at(said: Talk, number: int) -> str:
    words = [word for thing in said.spoken for word in thing.words]
    return words[number] if number < len(words) else ""


def _shared() -> set[str]:
    """Words that more than one thing may have: known by their place."""
    return {"will", *(word for phrase in PHRASES for word in phrase)}


def _forms(said: Talk) -> dict[str, tuple[int, ...]]:
    forms: dict[str, tuple[int, ...]] = {}
    first = 0
    for thing in said.spoken:
        numbers = tuple(range(first, first + len(thing.words)))
        if thing.short:
            forms[thing.short.lower().strip(",.?!")] = numbers
        for word, number in zip(thing.words, numbers, strict=True):
            if word not in _shared():
                forms[word] = forms[misheard(word)] = forms[word[:4]] = (number,)
                forms.setdefault(word[4:], ())  # the second half of a word made two
        first += len(thing.words)
    return forms


def entries(
    texts: Sequence[tuple[str, bool]], *, segment: str | None, first_id: int = 1, **others: str
) -> list[Entry]:
    return [
        Entry(id=f"{first_id + i}-0", text=text, final=final, segment=segment, **others)  # type: ignore[arg-type]
        for i, (text, final) in enumerate(texts)
    ]
