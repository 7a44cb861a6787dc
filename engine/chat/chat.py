"""A chat that never ends: one session, whose window rolls over any number of turns.

The opening (system prompt, header of the first turn) is pinned; turns slide out, oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engine.chat.detokenizer import Detokenizer
from engine.chat.turns import Turn, Turns
from engine.engine import Engine
from engine.errors import ConfigError, EngineError
from engine.schedule.generation import GenerateRequest, Sampling
from engine.schedule.session import Session
from engine.text.tokenizer import Tokenizer

MIN_SHARE = 4  # of the window, for what is said


class Chat:
    """One conversation on an engine; it holds one row from the first turn to `close`."""

    def __init__(
        self,
        engine: Engine,
        *,
        system: str | None = None,
        max_tokens: int = 256,
        sampling: Sampling | None = None,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> None:
        """sampling: None for what the model's makers say. stop: texts that end an answer, and are
        no part of it. ModelRefused if the chat template cannot go on."""
        self.engine = engine
        self.session: Session | None = None
        self.num_turns = 0
        self._stop_texts = tuple(text for text in stop if text)
        self._turns = Turns(engine.tokenizer, system)
        tokenizer = engine.tokenizer
        self._request = GenerateRequest(
            max_tokens,
            tokenizer.eos_ids,
            sampling=engine.model.sampling if sampling is None else sampling,
            seed=seed,
            thought=tokenizer.thought,
        )
        # An opening without room is refused now, not when somebody has typed a first text.
        self._require_room(len(self._turns.opening))
        engine.close(engine.open(prefix=self._turns.opening))

    @property
    def num_seen(self) -> int:
        """Tokens of the conversation so far."""
        return self.session.num_seen if self.session else 0

    @property
    def num_slid_out(self) -> int:
        return self.session.num_slid_out if self.session else 0

    @property
    def window_fill(self) -> int:
        return self.session.window_fill if self.session else 0

    def _require_room(self, num_pinned: int) -> None:
        size = self.engine.window.size
        if size - num_pinned < size // MIN_SHARE:
            raise ConfigError(
                f"A system prompt of {num_pinned} tokens leaves {max(0, size - num_pinned)} of a "
                f"window of {size} for the conversation, less than one in {MIN_SHARE}: shorten it, "
                f"or set num_recent higher."
            )

    def num_too_many(self, text: str) -> int:
        """Tokens of a turn that says `text` which the window has no room for: its beginning, that
        the answer will not have seen."""
        session = self.session
        turn = self._turns.next(text) if session else self._turns.first(text)[1]
        window = session.window if session else self.engine.window
        return max(0, len(turn.asked) - window.num_kept)

    def save(self, path: Path) -> None:
        """Write all that is needed to go on later (`resume`). Raises OSError; EngineError if
        nothing was said yet."""
        if self.session is None:
            raise EngineError("Nothing was said yet: there is nothing to save.")
        self._feed(self.session, ())
        self.engine.save(self.session, path)

    def resume(self, path: Path) -> None:
        """Go on where a chat with the same model, window and system prompt was saved.
        SnapshotError says what does not fit."""
        self.close()
        self.session = self.engine.restore(path)

    def say(
        self, text: str, *, thought: Callable[[str], None] = lambda _piece: None
    ) -> Generator[str, None, None]:
        """Answer `text` (white space around it is left out): one piece of text a step.

        A piece ends with a whole character and may be empty. Closing the iterator stops the
        answer where it is; the conversation goes on from there. `thought` is told what the model
        thinks, piece by piece: it is no part of the answer, nor of what is remembered.
        """
        session, turn = self._take(text)
        # The n-th draw of a seed is always the same, so every turn has a seed of its own.
        request = replace(self._request, seed=self._request.seed + session.num_seen)
        self.num_turns += 1
        if turn.asked == turn.kept and request.thought is None:
            pieces = self._answer(session, turn.asked, request, thought)
        else:
            pieces = self._answer_aside(session, turn, request, thought)
        with closing(pieces):
            yield from until(pieces, self._stop_texts)

    def _answer_aside(
        self, session: Session, turn: Turn, request: GenerateRequest, thought: Callable[[str], None]
    ) -> Generator[str, None, None]:
        """On a copy, which is thrown away with what was thought; the answer alone is remembered."""
        self._feed(session, turn.kept[: turn.num_common])
        aside = self.engine.fork(session)
        try:
            yield from self._answer(aside, turn.asked[turn.num_common :], request, thought)
        finally:
            aside.interrupt()
            self.engine.close(aside)
            self._feed(session, [*turn.kept[turn.num_common :], *aside.generated])

    def _feed(self, session: Session, ids: Sequence[int]) -> None:
        self.engine.feed(session, ids)
        while session.num_pending:
            self.engine.step()

    def close(self) -> None:
        """Free the row. Closing twice is harmless."""
        if self.session is not None:
            self.engine.close(self.session)

    def _take(self, text: str) -> tuple[Session, Turn]:
        """The session, and the tokens up to the answer's first."""
        if self.session is not None:
            return self.session, self._turns.next(text)
        opening, turn = self._turns.first(text)
        self.session = self.engine.open(prefix=opening)
        return self.session, turn

    def _answer(
        self,
        session: Session,
        asked: Sequence[int],
        request: GenerateRequest,
        thought: Callable[[str], None],
    ) -> Generator[str, None, None]:
        self.engine.generate(session, asked, request)
        shown, thinking = Spoken(self.engine.tokenizer), Spoken(self.engine.tokenizer)
        try:
            while session.is_generating:
                self.engine.step()
                thought(thinking.piece(session.thoughts))
                yield shown.piece(session.generated)
            yield shown.rest()
        finally:
            session.interrupt()


def until(pieces: Iterator[str], stops: Sequence[str]) -> Iterator[str]:
    """The pieces before the first of the texts `stops`; what may become one is held back."""
    held = ""
    for piece in pieces:
        held += piece
        found = [at for stop in stops if (at := held.find(stop)) >= 0]
        if found:
            yield held[: min(found)]
            return
        num_sure = len(held) - max((_overlap(held, stop) for stop in stops), default=0)
        yield held[:num_sure]
        held = held[num_sure:]
    yield held


def _overlap(text: str, stop: str) -> int:
    """How many of the last letters of `text` are the first of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((num for num in range(longest, 0, -1) if text.endswith(stop[:num])), 0)


class Spoken:
    """What has come since it was last asked, of a list of tokens that grows."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._detokenizer = Detokenizer(tokenizer)
        self._num_decoded = 0

    def piece(self, ids: Sequence[int]) -> str:
        new, self._num_decoded = ids[self._num_decoded :], len(ids)
        return self._detokenizer.add(new)

    def rest(self) -> str:
        return self._detokenizer.rest()
