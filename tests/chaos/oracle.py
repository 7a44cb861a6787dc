"""What must be true of a stream's outputs, told from its input alone.

Nothing here knows how a worker decides anything: entries come from XRANGE of the input as it stands
at the end (so what a server lost was never published), and words are unique (talks.py).

    plain stream      every entry once, in order, every letter and digit there
    rewritten stream  every word of every final hypothesis once, in the order it has there; a word
                      of another hypothesis once at most; no other word at all
    both              summaries tile the transcript; what has no text is rejected, nothing else is

Letters are compared without case; capitals and marks may be added. Pure.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.talks import NUMBER_WORDS

Entries = Sequence[tuple[str, Mapping[str, str]]]

KINDS = ("lost", "twice", "altered", "order", "nowhere", "tiles", "rejected", "told", "hung")


@dataclass(frozen=True)
class Violation:
    stream: str
    kind: str  # one of KINDS
    what: str

    def __str__(self) -> str:
        return f"{self.stream}: {self.kind}: {self.what}"


@dataclass(frozen=True)
class Outputs:
    """All that a stream has in Redis. `past`: the inputs of its name that were deleted."""

    stream: str
    input: Entries
    transcript: Entries
    summary: Entries
    rejected: Entries
    past: Sequence[Entries] = field(default=())


def check(outputs: Outputs, *, is_rewritten: bool, may_be_told: bool) -> list[Violation]:
    """may_be_told: the server lost something, so that there may be notices of that."""
    words = _check_rewritten if is_rewritten else _check_plain
    found = [*words(outputs), *_check_tiles(outputs), *_check_rejected(outputs, may_be_told)]
    return [Violation(outputs.stream, kind, what) for kind, what in found]


def letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


Found = Iterable[tuple[str, str]]


def _check_plain(outputs: Outputs) -> Found:
    expected = {
        i: letters(fields.get("text", "")) for i, fields in outputs.input if _is_read(fields)
    }
    past = {
        i: letters(fields.get("text", ""))
        for life in outputs.past
        for i, fields in life
        if _is_read(fields)
    }
    groups = [
        (entry, letters("".join(line["text"] for _, line in lines)))
        for entry, lines in itertools.groupby(outputs.transcript, lambda line: line[1]["entry"])
    ]
    seen = Counter(entry for entry, _ in groups)
    yield from (("lost", f"{i} {text}") for i, text in expected.items() if not seen[i])
    yield from (("twice", f"{i} in {num} places") for i, num in seen.items() if num > 1)
    known = past | expected
    for entry, text in groups:
        if entry not in known:
            yield "nowhere", f"{entry} {text}"
        elif text != known[entry]:
            is_twice = known[entry] and text.count(known[entry]) > 1
            yield "twice" if is_twice else "altered", f"{entry}: {known[entry]} became {text}"
    order = {entry: place for place, entry in enumerate(known)}
    places = [order[entry] for entry, _ in groups if entry in order]
    yield from (
        ("order", f"entry {b} of the input after its entry {a}")
        for a, b in itertools.pairwise(places)
        if b < a
    )
    for life in outputs.past:  # what was not read when it was deleted is its end, and no hole
        ids = [i for i, _ in life if i in past]
        first_gap = next((place for place, i in enumerate(ids) if not seen[i]), len(ids))
        yield from (("lost", f"what was before {i}") for i in ids[first_gap:] if seen[i])


def _check_rewritten(outputs: Outputs) -> Found:
    finals = {f["segment"]: _words(f["text"]) for _, f in outputs.input if f.get("final") == "1"}
    lives = (*outputs.past, outputs.input)
    heard = Counter(word for life in lives for word in _heard(life))
    said = [word for _, line in outputs.transcript for word in _words(line["text"])]
    seen, place = Counter(said), {word: at for at, word in enumerate(said)}
    for segment, words in finals.items():
        missing = [word for word in words if not seen[word]]
        yield from (("lost", f"{word} of {segment}: {' '.join(words)}") for word in missing)
        places = [place[word] for word in words if word in place]
        if places != sorted(places):
            yield "order", f"{segment}: {' '.join(words)}"
    for word, num in seen.items():
        if not heard[word]:
            yield "nowhere", word
        elif num > heard[word]:
            yield "twice", f"{word}, {num} times"


def _heard(life: Entries) -> set[str]:
    return {word for _, fields in life for word in _words(fields.get("text", ""))}


def _words(text: str) -> list[str]:
    """Those that are said once only."""
    plain = [
        letters(word) for word in text.split() if word.strip(".,;:!?").lower() not in NUMBER_WORDS
    ]
    return [word for word in plain if word and not word.isdigit()]


def _check_tiles(outputs: Outputs) -> Found:
    """From the first line of text to the last one, without a gap; two neighbours share an entry at
    most, one that is longer than the room that there was."""
    lines = dict.fromkeys(line["entry"] for _, line in outputs.transcript if line["text"])
    order = {entry: place for place, entry in enumerate(lines)}
    covering = [fields for _, fields in outputs.summary if fields["tokens"] != "0"]
    if not order:
        return
    if not covering:
        yield "tiles", "there is no summary"
        return
    ranges = [(fields["first"], fields["last"]) for fields in covering]
    for first, last in ranges:
        if first not in order or last not in order:
            yield "tiles", f"{first} to {last}: not in the transcript"
            return
    if ranges[0][0] != next(iter(lines)):
        yield "tiles", f"the first begins at {ranges[0][0]}, the text at {next(iter(lines))}"
    if ranges[-1][1] != next(reversed(lines)):
        yield "tiles", f"the last ends at {ranges[-1][1]}, the text at {next(reversed(lines))}"
    for (_, last), (first, _) in itertools.pairwise(ranges):
        if order[first] - order[last] not in (0, 1):
            yield "tiles", f"from {last} to {first}"


def _check_rejected(outputs: Outputs, may_be_told: bool) -> Found:
    bad = [i for i, fields in outputs.input if not _is_read(fields)]
    past = {i for life in outputs.past for i, fields in life if not _is_read(fields)}
    told = [(f["entry_id"], f["reason"]) for _, f in outputs.rejected]
    refused = [entry for entry, reason in told if "no text" in reason and entry not in past]
    if refused != bad:
        yield "rejected", f"{refused} were, {bad} should have been"
    for _, fields in outputs.rejected:
        is_notice = may_be_told and "notice" in fields
        if "no text" not in fields["reason"] and not is_notice:
            yield "told", f"{fields['entry_id']}: {fields['reason']}"


def _is_read(fields: Mapping[str, str]) -> bool:
    return bool(fields.get("text")) or "end_of_stream" in fields
