"""How well words are restored, as streams bring them: entries of a few words, one after another.

Each entry is restored with what was written before it, and with `num_after` words that follow, as
far as the runtime reads them. Marks are compared as is usual (IWSLT 2011): `!` counts as a stop,
`:` and `;` as commas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from engine.restore.marks import CASES, MARKS
from engine.restore.passage import Passage
from engine.restore.spelling import cased
from ops.restore.labels import UNKNOWN, Word

ENTRY_WORDS = 14
NUM_AFTER = 4  # words that a stream holds back, and so are read with those before them
STREAM_WORDS = 50 * ENTRY_WORDS
COUNTED = {".": ".", "!": ".", ",": ",", ":": ",", ";": ",", "?": "?"}

Restore = Callable[[Sequence[Passage]], list[tuple[str, ...]]]


class Restored(NamedTuple):
    """One word: what is true, what was written, and how many words of its entry follow."""

    truth: Word
    written: str
    num_following: int


def streams_of(documents: Sequence[list[Word]]) -> list[list[Word]]:
    """Pieces of documents that are read side by side: each is a stream of its own."""
    return [
        document[i : i + STREAM_WORDS]
        for document in documents
        for i in range(0, len(document) - ENTRY_WORDS, STREAM_WORDS)
    ]


def restored(
    streams: Sequence[list[Word]], restore: Restore, *, num_after: int = 0
) -> Iterator[Restored]:
    """Every word of the streams, entry by entry."""
    written: list[list[str]] = [[] for _ in streams]
    for start in range(0, max(map(len, streams)), ENTRY_WORDS):
        going = [i for i, stream in enumerate(streams) if len(stream) > start]
        passages = [_passage(streams[i], start, written[i], num_after) for i in going]
        for i, words in zip(going, restore(passages), strict=True):
            written[i] += words
            for place, word in enumerate(words):
                yield Restored(streams[i][start + place], word, len(words) - 1 - place)


def _passage(stream: list[Word], start: int, written: list[str], num_after: int) -> Passage:
    stop = start + ENTRY_WORDS
    raw = [word.raw for word in stream]
    return Passage(
        tuple(raw[start:stop]), tuple(written), after=tuple(raw[stop : stop + num_after])
    )


def figures(words: Sequence[Restored]) -> dict[str, float]:
    """F1 of comma, stop and question, of the three together, and of words with capitals."""
    tally: Counter[str] = Counter()
    for word in words:
        if word.truth.mark != UNKNOWN:
            _count(tally, COUNTED.get(MARKS[word.truth.mark], ""), _mark(word))
        if word.truth.case != UNKNOWN:
            _count_case(tally, word)
    found = {name: _f1(tally, mark) for name, mark in NAMES.items()}
    return {**found, "all": _f1(tally, *NAMES.values()), "capitals": _f1(tally, "capital")}


NAMES = {"comma": ",", "stop": ".", "question": "?"}


def by_place(words: Sequence[Restored]) -> dict[str, float]:
    """F1 of all marks, by the number of words of the entry that follow."""
    groups = {
        "last word": (0, 0),
        "1 before": (1, 1),
        "2 to 4 before": (2, 4),
        "5 or more": (5, 99),
    }
    return {
        name: figures([word for word in words if low <= word.num_following <= high])["all"]
        for name, (low, high) in groups.items()
    }


def _mark(word: Restored) -> str:
    return COUNTED.get(word.written[len(word.truth.raw) :], "")


def _count(tally: Counter[str], truth: str, said: str) -> None:
    tally[f"{truth} true"] += 1
    tally[f"{said} said"] += 1
    tally[f"{truth} right"] += truth == said


def _count_case(tally: Counter[str], word: Restored) -> None:
    true_form = cased(word.truth.raw, CASES[word.truth.case])
    form = word.written[: len(true_form)]
    tally["capital true"] += word.truth.case > 0
    tally["capital said"] += form != form.lower()
    tally["capital right"] += word.truth.case > 0 and form == true_form


def _f1(tally: Counter[str], *names: str) -> float:
    right = sum(tally[f"{name} right"] for name in names)
    both = sum(tally[f"{name} true"] + tally[f"{name} said"] for name in names)
    return round(2 * right / max(1, both), 3)
