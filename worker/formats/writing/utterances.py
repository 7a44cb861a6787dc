"""Transcript entries as utterances: the parts of one are joined, and what has no words is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from worker.intake import values

Fields = Mapping[str, str]

# How an entry hangs together with others; said no more where they are joined.
_OF_PARTS = frozenset({"text", "final", "continues", "joined", "restored", "times"})


@dataclass(frozen=True)
class Part:
    """Letters of an utterance and when they were said, as far as it is known. Seconds."""

    num_chars: int
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Utterance:
    """`about` has the fields of its entries, the text and what is of parts left out. `follows`: the
    speaker goes on where the one before it ends."""

    text: str
    parts: tuple[Part, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    follows: bool = False

    @property
    def speaker(self) -> str:
        return self.about.get("speaker", "")

    @property
    def start(self) -> float | None:
        """When it began, or was under way, as far as its parts know."""
        first = self._timed[0] if self._timed else self.parts[0]
        return first.end if first.start is None and self.end is None else first.start

    @property
    def end(self) -> float | None:
        return self._timed[-1].end if self._timed else None

    @property
    def _timed(self) -> list[Part]:
        return [part for part in self.parts if (part.start, part.end) != (None, None)]

    def earlier(self, by: float) -> Utterance:
        """The same, that many seconds before."""
        if not by:
            return self
        parts = (Part(p.num_chars, _minus(p.start, by), _minus(p.end, by)) for p in self.parts)
        return replace(self, parts=tuple(parts))


def _minus(seconds: float | None, by: float) -> float | None:
    return None if seconds is None else seconds - by


def utterances(entries: Iterable[Fields]) -> Iterator[Utterance]:
    """Each as soon as its last part is there."""
    open_: Utterance | None = None
    for fields in entries:
        continues = open_ is not None and bool(fields.get("continues"))
        if open_ and not continues:
            yield open_
            open_ = None
        if open_:
            open_ = _longer(open_, fields)
        elif fields.get("text"):
            open_ = _first(fields)
        if open_ and fields.get("final", "1") != "0":
            yield open_
            open_ = None
    if open_:
        yield open_


def _first(fields: Fields) -> Utterance:
    text = fields["text"]
    return Utterance(text, (_part(len(text), fields),), _about(fields), bool(fields.get("joined")))


def _longer(before: Utterance, fields: Fields) -> Utterance:
    text, about = fields.get("text", ""), _together(before.about, _about(fields))
    if not text:  # it only says that the utterance is over, and when
        last = before.parts[-1]
        end = _seconds(fields, "end")
        parts = (*before.parts[:-1], last if end is None else replace(last, end=end))
        return replace(before, parts=parts, about=about)
    glue = "" if fields.get("joined") == "tight" else " "
    parts = (*before.parts, _part(len(glue) + len(text), fields))
    return replace(before, text=before.text + glue + text, parts=parts, about=about)


def _about(fields: Fields) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in _OF_PARTS}


def _together(before: Fields, later: Mapping[str, str]) -> dict[str, str]:
    """What the last part says counts, but for the entry that the utterance began with."""
    about = {**before, **later} | {name: before[name] for name in ("entry",) if name in before}
    if "words" in before and "words" in later:
        about["words"] = _joined_lists(before["words"], later["words"])
    return about


def _joined_lists(one: str, other: str) -> str:
    """Two lists of words in JSON; the first alone if they are none."""
    try:
        words = [*json.loads(one), *json.loads(other)]
    except (TypeError, ValueError):
        return one
    return json.dumps(words, ensure_ascii=False)


def _part(num_chars: int, fields: Fields) -> Part:
    return Part(num_chars, _seconds(fields, "start"), _seconds(fields, "end"))


def _seconds(fields: Fields, name: str) -> float | None:
    return values.seconds(fields.get(name, ""))


def anchors(said: Utterance) -> Sequence[tuple[int, float]]:
    """(letters before, time), both growing: where in the text the speaker was when."""
    found: list[tuple[int, float]] = []
    num_chars = 0
    for part in said.parts:
        for at, time in ((num_chars, part.start), (num_chars + part.num_chars, part.end)):
            if time is not None and (not found or (at > found[-1][0] and time >= found[-1][1])):
                found.append((at, time))
        num_chars += part.num_chars
    return found
