"""Words with times as pieces of speech: one speaker, up to the end of a sentence or a pause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.formats.rows import Row, row

_PAUSE_SECONDS = 1.0
_MAX_WORDS = 60  # of a sentence that does not end
_STOPS = (".", "?", "!", "…", "。", "？", "！", "।")
_CLOSING = "\"'”’)]»」"


@dataclass(frozen=True)
class Word:
    """`text` as it is written, marks included. `glued`: no blank stands before it."""

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    glued: bool = False


def word(text: object, start: float | None, end: float | None, speaker: str | None) -> list[Word]:
    """For readers of JSON: nothing if there is no text."""
    said = text.strip() if isinstance(text, str) else ""
    return [Word(said, start, end, speaker)] if said else []


def sentences(words: Iterable[Word], **about: object) -> Iterator[Row]:
    """A row for each piece, with `about` added to it."""
    piece: list[Word] = []
    for coming in words:
        if piece and not coming.glued and _ends(piece, coming):
            yield from _row(piece, about)
            piece = []
        piece.append(coming)
    yield from _row(piece, about)


def _ends(piece: Sequence[Word], coming: Word) -> bool:
    last = piece[-1]
    paused = last.end is not None and coming.start is not None
    return (
        last.text.rstrip(_CLOSING).endswith(_STOPS)
        or coming.speaker != last.speaker
        or (paused and (coming.start or 0.0) - (last.end or 0.0) > _PAUSE_SECONDS)
        or len(piece) >= _MAX_WORDS
    )


def _row(piece: Sequence[Word], about: dict[str, object]) -> Iterator[Row]:
    text = "".join(word.text if word.glued else f" {word.text}" for word in piece)
    starts = [word.start for word in piece if word.start is not None]
    ends = [word.end for word in piece if word.end is not None]
    times = {"start": next(iter(starts), None), "end": next(reversed(ends), None)}
    if read := row(text, speaker=piece[0].speaker if piece else None, **times, **about):
        yield read
