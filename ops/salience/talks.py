"""What people said, and how people summarised it, from the corpora that this is learnt from.

Files of JSON lines, packed with gzip: README.md says which fields they have.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.sentences.cutting import sentences_in

HELD_OUT = 5  # one name in so many


@dataclass(frozen=True)
class Talk:
    """turns: (speaker, what they say in a row). summaries: of all of it, each by itself."""

    name: str
    turns: tuple[tuple[str, str], ...]
    summaries: tuple[str, ...]

    @property
    def is_held_out(self) -> bool:
        """By its name, so that it stays so whatever else there is."""
        return int(hashlib.sha256(self.name.encode()).hexdigest()[:8], 16) % HELD_OUT == 0

    def sentences(self) -> list[str]:
        return [sentence for _, text in self.turns for sentence in sentences_in(text)]


def meetings(summaries: Path, folder: Path) -> list[Talk]:
    return [
        Talk(line["meeting"], joined(_lines(folder / f"{line['meeting']}.jsonl.gz")), (text,))
        for line in _lines(summaries)
        if line["turns"] is None and (text := line["summary"])
    ]


def dialogues(path: Path) -> list[Talk]:
    return [
        Talk(f"{path.name} {number}", tuple(_spoken(line["dialogue"])), (line["summary"],))
        for number, line in enumerate(_lines(path))
    ]


def documents(path: Path) -> list[Talk]:
    """The answers to the first question, which is about all of it."""
    return [
        Talk(
            f"{path.name} {number}",
            (("", " ".join(line["document"].split())),),
            tuple(line["questions"][0]["summaries"]),
        )
        for number, line in enumerate(_lines(path))
    ]


def joined(lines: Iterable[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What one speaker says in a row, together."""
    by_speaker = groupby(lines, key=lambda line: str(line.get("speaker", "")))
    return tuple((who, " ".join(line["text"] for line in them)) for who, them in by_speaker)


def _spoken(dialogue: str) -> Iterator[tuple[str, str]]:
    for line in dialogue.splitlines():
        found = re.match(r"\s*([\w ]{1,20}): (.*)", line)
        if found:
            yield found[1], found[2]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)
