"""Names of speakers that stand among the words, as Zoom, Meet and whisperX write them.

`Ana Silva: words`, `[SPEAKER_00]: words`, or `(Ana Silva)` on a line of its own. A clause may look
like any of these: they are names if most of the file's pieces begin so, and words otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Said = tuple[str | None, str]  # who, what

_BEFORE = re.compile(r"\[?([^\W_][^:\[\]<>.?!]{0,59})\]?:\s+(?=\S)")
_ABOVE = re.compile(r"\(([^()]{1,60})\)")
_MAX_NAME_WORDS = 6
_SHARE = 0.5  # of the pieces, and two at least


def said_by(pieces: Sequence[Sequence[str]]) -> list[list[Said]]:
    """What each piece (its lines) says, by speaker."""
    if _are_most([bool(lines) and _ABOVE.fullmatch(lines[0]) is not None for lines in pieces]):
        return [list(_under_names(lines)) for lines in pieces]
    texts = [" ".join(lines) for lines in pieces]
    if _are_most([named(text) is not None for text in texts]):
        return [[named(text) or (None, text)] for text in texts]
    return [[(None, text)] for text in texts]


def _are_most(found: Sequence[bool]) -> bool:
    return sum(found) >= max(2, _SHARE * len(found))


def named(text: str) -> Said | None:
    """Who says it and what, if it begins with a name."""
    match = _BEFORE.match(text)
    if not match or len(match[1].split()) > _MAX_NAME_WORDS:
        return None
    return match[1].strip(), text[match.end() :]


def _under_names(lines: Sequence[str]) -> Iterator[Said]:
    """A line that is a dash stands between two speakers."""
    speaker: str | None = None
    words: list[str] = []
    for line in lines:
        match = _ABOVE.fullmatch(line)
        if match:
            yield speaker, " ".join(words)
            speaker, words = match[1].strip(), []
        elif line != "-":
            words.append(line)
    yield speaker, " ".join(words)
