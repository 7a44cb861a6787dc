"""The published lines of one stream on their way into its window.

Invariant: positions count tokens from the start of the stream; `published` is the position after
the last line given here, `session.num_seen` the position up to which tokens were fed, and the lines
between the two are waiting here in order. What a line adds is a function of the published
transcript alone, so after a crash the same lines give the same tokens at the same positions.

Pure: no torch, no Redis.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NUM_LINES_KEPT = 16


@dataclass(frozen=True)
class Line:
    """One transcript entry: `entry` is the id of the input entry that it came from, `text` what
    it adds to the running text: a new line ("\\nSpeaker: words"), or words that go on with the line
    before, whose speaker is `speaker`."""

    entry: str
    tokens: Sequence[int]
    text: str = ""
    speaker: str = ""

    @property
    def begins(self) -> bool:
        """Whether another has begun to speak."""
        return self.text.startswith("\n")


def line_text(fields: Mapping[str, str]) -> str:
    """What the transcript entry with these fields adds to the running text, in which everything
    that one speaker says in a row is one line, whatever the entries are that it came in."""
    text = fields["text"]
    if not text:
        return ""
    joined = fields.get("joined") or ("space" if fields.get("continues") else None)
    if joined:
        return text if joined == "tight" else f" {text}"
    speaker = fields.get("speaker")
    return f"\n{speaker}: {text}" if speaker else f"\n{text}"


def _ends_sentence(line: Line) -> bool:
    return line.text.rstrip().endswith((".", "?", "!"))


class Feed:
    """`position` is where the first line given here begins."""

    def __init__(self, position: int):
        self.published = position
        self._waiting: deque[Line] = deque()
        self._num_taken = 0  # tokens of the first waiting line that were fed already
        self._ends: deque[tuple[Line, int]] = deque()  # (line, position after it), oldest first

    def publish(self, line: Line) -> None:
        self.remember(line)
        if line.tokens:
            self._waiting.append(line)

    def remember(self, line: Line) -> None:
        """Counts a line that the session has already seen (it came back with a snapshot)."""
        self.published += len(line.tokens)
        if line.tokens:
            self._ends.append((line, self.published))

    def take(self, room: int) -> list[int]:
        """The next tokens to feed, at most `room`."""
        tokens: list[int] = []
        while self._waiting and len(tokens) < room:
            line = self._waiting[0]
            part = line.tokens[self._num_taken : self._num_taken + room - len(tokens)]
            tokens += part
            self._num_taken += len(part)
            if self._num_taken == len(line.tokens):
                self._waiting.popleft()
                self._num_taken = 0
        return tokens

    @property
    def num_waiting(self) -> int:
        return sum(len(line.tokens) for line in self._waiting) - self._num_taken

    @property
    def is_between_lines(self) -> bool:
        """Whether no line is fed in part, so that a snapshot may be taken."""
        return self._num_taken == 0

    @property
    def num_left_of_line(self) -> int:
        """Tokens that the line which is fed in part still has."""
        return len(self._waiting[0].tokens) - self._num_taken if self._num_taken else 0

    def entry_at(self, position: int) -> str:
        """The entry whose line holds the token at `position` (not forgotten, already published)."""
        return next(line.entry for line, end in self._ends if position < end)

    def lines(self, first: int, last: int) -> list[Line]:
        """The lines of the transcript with the positions `first` ... `last`, whole, and those in
        which the sentence had begun that was being said."""
        lines = [line for line, _ in self._ends]
        held = [
            index
            for index, (line, end) in enumerate(self._ends)
            if end - len(line.tokens) <= last and first < end
        ]
        if not held:
            return []
        begin, earliest = held[0], max(0, held[0] - NUM_LINES_KEPT)
        while begin > earliest and not (lines[begin].begins or _ends_sentence(lines[begin - 1])):
            begin -= 1
        return lines[begin : held[-1] + 1]

    def forget(self, covered: int) -> None:
        """Drops what is known of lines that end at or before `covered`, but for the last few: the
        sentence that is being said may have begun in them."""
        num_old = sum(end <= covered for _, end in self._ends)
        for _ in range(num_old - NUM_LINES_KEPT):
            self._ends.popleft()

    def check_integrity(self) -> None:
        ends = [end for _, end in self._ends]
        assert ends == sorted(set(ends)), "line ends must grow"  # noqa: S101
        assert not ends or ends[-1] == self.published, "the last end is `published`"  # noqa: S101
