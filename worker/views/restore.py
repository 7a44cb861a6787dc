"""Capitals and marks for raw text, said by the encoder word for word.

Guarantee: every word comes back as it came, each of its letters in one of its two cases, with at
most one mark behind it. Nothing here writes letters: `engine.restore.spelling` turns what the
encoder says of a word into that word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from engine import Desk, Passage, Ticket, is_raw

NUM_CONTEXT_WORDS = Passage.MAX_BEFORE_WORDS


class Restorer:
    """Starts restorations at one desk. One for all streams: it holds no stream's state."""

    def __init__(self, desk: Desk, *, clock: Callable[[], float], took: Callable[[float], None]):
        """took: told how many seconds each restoration took."""
        self.desk = desk
        self.clock = clock
        self.took = took
        self.wait, self.close = desk.wait, desk.close

    def wants(self, text: str, lang: str | None) -> bool:
        """Whether `text` is raw, and in a language that the encoder knows."""
        return self._knows(text, lang) and is_raw(text)

    def _knows(self, text: str, lang: str | None) -> bool:
        """By its `lang`; without one, by its letters: those of the languages here are ASCII."""
        if lang:
            return lang.lower().replace("_", "-").split("-")[0] in self.desk.languages
        letters_of_it = [char for char in text if char.isalpha()]
        return sum(map(str.isascii, letters_of_it)) > 0.9 * len(letters_of_it)

    def begin(
        self, text: str, *, before: str, after: str, names: Mapping[str, str], ends: bool = False
    ) -> Restoration:
        """before: words published just before. after: words that follow and are not published yet.
        names: how this stream writes a word, by its lower-case form. ends: the speaker has ended,
        nothing follows."""
        words, size = text.split(), Passage.MAX_WORDS
        pieces = [tuple(words[i : i + size]) for i in range(0, len(words), size)]
        return Restoration(self, deque(pieces), before.split(), after.split(), names, ends)


class Restoration:
    """One text becoming written text, piece after piece; each piece sees the words around it."""

    def __init__(
        self,
        restorer: Restorer,
        waiting: deque[tuple[str, ...]],
        before: list[str],
        after: list[str],
        names: Mapping[str, str],
        ends: bool,
    ):
        self._restorer, self._waiting, self._names, self._ends = restorer, waiting, names, ends
        self._after = after
        self._written, self._num_before = before, len(before)
        self._ticket: Ticket | None = None
        self._began_at = restorer.clock()

    def advance(self) -> str | None:
        """Goes on if its piece has been written, and if there is room at the desk; the whole text
        once it is there."""
        if self._ticket is not None and self._ticket.written is not None:
            self._written += self._ticket.written
            self._waiting.popleft()
            self._ticket = None
        if self._ticket is None and self._waiting:
            self._ticket = self._restorer.desk.leave(self._passage())
        if self._waiting:
            return None
        self._restorer.took(self._restorer.clock() - self._began_at)
        return " ".join(self._written[self._num_before :])

    def close(self) -> None:
        if self._ticket is not None:
            self._ticket.is_wanted = False

    def _passage(self) -> Passage:
        words, *others = self._waiting
        after = [word for piece in others[:1] for word in piece] or self._after
        return Passage(
            words,
            before=tuple(self._written[-Passage.MAX_BEFORE_WORDS :]),
            after=tuple(after[: Passage.MAX_AFTER_WORDS]),
            names=self._names,
            ends=self._ends and not others,
        )
