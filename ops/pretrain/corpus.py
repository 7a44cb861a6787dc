"""A folder of text -> documents and passage/summary pairs. README.md describes the layouts.

Whole documents are held out by a hash of their name, a pair together with the text it is about:
what the card measures was never trained on, whichever machine prepares it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

HELD_OUT_ONE_IN = 20
_PASSAGE_FIELDS = ("passage", "dialogue", "document")
_STRAIGHT = str.maketrans("\u201c\u201d\u2018\u2019\u00a0\u2015", "\"\"'' \u2014")
_SPOKEN_LINE = re.compile(r"([^:\n]{1,40}):\s+(\S.*)")
_WRAPPED_BELOW_CHARACTERS = 90


class Line(NamedTuple):
    """A paragraph of prose (no speaker) or one turn of talk."""

    speaker: str | None
    text: str

    def render(self, with_speaker: bool = True) -> str:
        """The line as a stream's memory shows it, with its newline."""
        if self.speaker and with_speaker:
            return f"{self.speaker}: {self.text}\n"
        return f"{self.text}\n"


class Document(NamedTuple):
    name: str
    kind: Literal["prose", "talk"]
    lines: tuple[Line, ...]


class Pair(NamedTuple):
    """A passage and what people wrote as its summary. `name` is the text's, for the hold-out."""

    name: str
    passage: tuple[Line, ...]
    summary: str


@dataclass
class Corpus:
    documents: list[Document] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def split(self) -> tuple[Corpus, Corpus]:
        """(to train on, held out)."""
        return self._only(held_out=False), self._only(held_out=True)

    def _only(self, held_out: bool) -> Corpus:
        return Corpus(
            [d for d in self.documents if is_held_out(d.name) == held_out],
            [p for p in self.pairs if is_held_out(p.name) == held_out],
        )


def is_held_out(name: str) -> bool:
    """One name in HELD_OUT_ONE_IN, the same on every machine and in every order."""
    return int(hashlib.sha256(f"keep: {name}".encode()).hexdigest()[:8], 16) % HELD_OUT_ONE_IN == 0


def read_corpus(folder: Path) -> Corpus:
    """Everything below the folder that has a known layout; ValueError when that is nothing."""
    corpus = Corpus()
    pair_rows: list[dict[str, Any]] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.name.endswith((".txt", ".txt.gz")):
            corpus.documents.append(Document(_stem(path), "prose", _prose_lines(_read(path))))
        elif path.name.endswith((".jsonl", ".jsonl.gz")):
            rows = [json.loads(row) for row in _read(path).splitlines() if row.strip()]
            if rows and "summary" not in rows[0] and "text" in rows[0]:
                corpus.documents.append(Document(_stem(path), "talk", _talk_lines(rows)))
            else:
                pair_rows.extend(rows)
    if not corpus.documents:
        raise ValueError(f"{folder} holds no *.txt[.gz] and no conversation *.jsonl[.gz]")
    corpus.pairs = list(_pairs(pair_rows, corpus.documents))
    return corpus


def _pairs(rows: Iterable[dict[str, Any]], documents: list[Document]) -> Iterator[Pair]:
    talks = {d.name: d.lines for d in documents if d.kind == "talk"}
    for row in rows:
        if "meeting" in row:
            lines = talks.get(row["meeting"], ())
            spans = row.get("turns") or [(0, len(lines) - 1)]
            chosen = tuple(line for a, b in spans for line in lines[int(a) : int(b) + 1])
            yield Pair(row["meeting"], chosen, clean(row["summary"]))
        else:
            text = next((row[name] for name in _PASSAGE_FIELDS if name in row), "")
            name, passage = hashlib.sha256(text.encode()).hexdigest(), _passage_lines(text)
            for summary in _summaries(row):
                yield Pair(name, passage, clean(summary))


def _summaries(row: dict[str, Any]) -> Iterator[str]:
    if "summary" in row:
        yield row["summary"]
    questions = row.get("questions", [])
    for question in json.loads(questions) if isinstance(questions, str) else questions:
        yield from question["summaries"]


def clean(text: str) -> str:
    """NFC, straight quotes, single spaces: what live text looks like, and fewer rare bytes."""
    text = unicodedata.normalize("NFC", text).translate(_STRAIGHT).replace("\u2026", "...")
    return re.sub(r"\s+", " ", text).strip()


def _talk_lines(rows: list[dict[str, Any]]) -> tuple[Line, ...]:
    return tuple(Line(row.get("speaker") or None, clean(row["text"])) for row in rows)


def _passage_lines(text: str) -> tuple[Line, ...]:
    rows = [row.strip() for row in text.split("\n") if row.strip()]
    spoken = [_SPOKEN_LINE.fullmatch(row) for row in rows]
    if sum(map(bool, spoken)) * 2 < len(rows):
        return _prose_lines(text)
    return tuple(
        Line(clean(m[1]), clean(m[2])) if m else Line(None, clean(row))
        for row, m in zip(rows, spoken, strict=True)
    )


def _prose_lines(text: str) -> tuple[Line, ...]:
    """Paragraphs, whether the file has one a line or wraps them at a column."""
    rows = [row.rstrip() for row in text.split("\n")]
    lengths = sorted(len(row) for row in rows if row) or [0]
    wrapped = lengths[len(lengths) * 9 // 10] < _WRAPPED_BELOW_CHARACTERS
    paragraphs = _unwrap(rows) if wrapped else rows
    return tuple(Line(None, text) for text in map(clean, paragraphs) if text)


def _unwrap(rows: list[str]) -> Iterator[str]:
    """Join wrapped rows; an empty row, or a short one that ends a sentence, ends a paragraph."""
    column = max(map(len, rows))
    gathered: list[str] = []
    for row in rows:
        hyphenated = row.endswith("-") and not row.endswith("--")
        gathered.append(row[:-1] if hyphenated else f"{row} ")
        short_end = len(row) < 0.75 * column and row.endswith((".", "!", "?", '"', "'", "\u201d"))
        if not row.strip() or short_end:
            yield "".join(gathered)
            gathered = []
    yield "".join(gathered)


def _read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def _stem(path: Path) -> str:
    return path.name.split(".")[0]
