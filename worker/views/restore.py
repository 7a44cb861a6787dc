"""Case and punctuation for raw text, written by the model under the letters' constraint.

Guarantee: `letters(result) == letters(raw)`. The constraint makes anything else impossible; the
check at the end is there in case the constraint itself is wrong, and costs that entry only its
capitals.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

from engine import GenerateRequest, GrammarError, Grammars
from worker.views.draft import Draft, Drafts
from worker.views.instructions import Instructions
from worker.views.letters import grammar, is_raw, letters, pieces

log = logging.getLogger(__name__)

MAX_PIECE_WORDS = 40
MAX_PIECE_BYTES = 400
NUM_CONTEXT_WORDS = 20


class Restorer:
    """Starts restorations on one engine. One for all streams: it holds no stream's state."""

    def __init__(
        self,
        drafts: Drafts,
        instructions: Instructions,
        languages: frozenset[str] | None,
        *,
        clock: Callable[[], float],
        took: Callable[[float], None],
    ):
        """languages: the `lang` codes that the model can restore (all of them written with the
        letters of ASCII); None for any.
        took: told how many seconds each restoration took."""
        self._drafts = drafts
        self._tokenizer = drafts.engine.tokenizer
        self.clock = clock
        self.took = took
        self._instructions = instructions
        self._languages = languages
        self._grammars = Grammars(self._tokenizer)

    def wants(self, text: str, lang: str | None) -> bool:
        """Whether `text` is raw, in a language that the model knows, and small enough."""
        return self._knows(text, lang) and is_raw(text) and self._pieces(text) is not None

    def _knows(self, text: str, lang: str | None) -> bool:
        """By its `lang`; without one, by its letters: those of the languages here are ASCII."""
        if self._languages is None:
            return True
        if lang:
            return lang.lower().replace("_", "-").split("-")[0] in self._languages
        letters_of_it = [char for char in text if char.isalpha()]
        return sum(map(str.isascii, letters_of_it)) > 0.9 * len(letters_of_it)

    def begin(self, text: str, *, before: str, after: str, names: Mapping[str, str]) -> Restoration:
        """before: words published just before. after: words that follow and are not published yet.
        names: how this stream writes a word, by its lower-case form."""
        del after, names  # the language model's own grammar writes from left to right
        return Restoration(self, deque(self._pieces(text) or [text]), before)

    def draft(self, piece: str, context: str) -> Draft:
        """Raises engine.NoFreeRow, engine.GrammarError."""
        self._drafts.require_place()
        tokenizer = self._tokenizer
        content = self._instructions.restore.format(raw=piece)
        if context:
            content = f"{context}\n{content}"
        request = GenerateRequest(
            max_tokens=2 * len(piece.encode()) + 8,  # a token is a byte at least, a mark one more
            stop=tokenizer.eos_ids,
            constraint=self._grammars.regex(grammar(piece)),
        )
        prompt = tokenizer.encode(content) + list(tokenizer.chat_parts().suffix)
        return self._drafts.on_blank(prompt, request)

    def _pieces(self, raw: str) -> list[str] | None:
        return pieces(raw, max_words=MAX_PIECE_WORDS, max_bytes=MAX_PIECE_BYTES)


class Restoration:
    """One entry's raw text becoming written text, piece after piece."""

    def __init__(self, restorer: Restorer, waiting: deque[str], context: str):
        self._restorer = restorer
        self._waiting = waiting
        self._context = context
        self._done: list[str] = []
        self._draft: Draft | None = None
        self._began_at = restorer.clock()

    def advance(self) -> str | None:
        """Goes on as far as the engine's steps allow; the whole text once it is there.

        Raises engine.NoFreeRow: come back after the next step.
        """
        if self._draft is not None and self._draft.is_done:
            written, self._draft = self._draft.finish(), None
            if written is not None:
                self._settle(self._waiting.popleft(), written)
        if self._draft is None and self._waiting:
            self._begin_piece()
        if self._waiting:
            return None
        self._restorer.took(self._restorer.clock() - self._began_at)
        return " ".join(self._done)

    def close(self) -> None:
        if self._draft is not None:
            self._draft.close()

    def _begin_piece(self) -> None:
        words = [*self._context.split(), *" ".join(self._done).split()]
        try:
            self._draft = self._restorer.draft(
                self._waiting[0], " ".join(words[-NUM_CONTEXT_WORDS:])
            )
        except GrammarError as error:
            log.warning("text is published as it came: %s", error)
            self._done.append(self._waiting.popleft())

    def _settle(self, raw: str, written: str) -> None:
        written = written.strip()
        if letters(written) != letters(raw):
            log.error("a restoration changed letters and was dropped: %r became %r", raw, written)
            written = raw
        self._done.append(written)
