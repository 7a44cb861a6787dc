"""How well restored text agrees with what people wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ops.pretrain.restore import MARKS, Word


def restore_accuracy(pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Of (true, restored) texts with the same words: F1 of marks and capitals, case accuracy.

    A mark counts as right only if it is the same mark; `sentence_end_f1` takes . ? ! as one.
    The first word of each text is left out of the case figures only when it stands alone.
    """
    tally: Counter[str] = Counter()
    for truth, restored in pairs:
        for a, b in zip(_words(truth), _words(restored), strict=True):
            if a.core.lower() != b.core.lower():
                raise ValueError(f"{restored!r} does not have the words of {truth!r}")
            _count(tally, "mark", a.mark, b.mark)
            _count(tally, "end", _end(a.mark), _end(b.mark))
            _count(tally, "capital", _capital(a.core), _capital(b.core))
            tally["words"] += 1
            tally["same case"] += a.core == b.core
    return {
        "num_words": tally["words"],
        "punctuation_f1": _f1(tally, "mark"),
        "sentence_end_f1": _f1(tally, "end"),
        "capital_f1": _f1(tally, "capital"),
        "case_accuracy": round(tally["same case"] / max(1, tally["words"]), 3),
    }


def _words(text: str) -> list[Word]:
    return [
        Word(token[:-1], token[-1]) if token[-1] in MARKS else Word(token, "")
        for token in text.split()
    ]


def _end(mark: str) -> str:
    return "." if mark in ("?", "!") else mark if mark == "." else ""


def _capital(core: str) -> str:
    return "capital" if core[0].isupper() else ""


def _count(tally: Counter[str], name: str, truth: str, guess: str) -> None:
    tally[f"{name} true"] += bool(truth)
    tally[f"{name} guessed"] += bool(guess)
    tally[f"{name} right"] += bool(truth) and truth == guess


def _f1(tally: Counter[str], name: str) -> float:
    both = tally[f"{name} true"] + tally[f"{name} guessed"]
    return round(2 * tally[f"{name} right"] / max(1, both), 3)
