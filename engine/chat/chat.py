"""A chat that never ends: one session, whose window rolls over any number of turns.

The opening (system prompt, header of the first turn) is pinned; turns slide out, oldest first.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from engine.chat.detokenizer import Detokenizer
from engine.chat.turns import Turns
from engine.engine import Engine
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session


class Chat:
    """One conversation on an engine; it holds one row from the first turn to `close`."""

    def __init__(
        self,
        engine: Engine,
        *,
        system: str | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        """ModelRefused if the chat template cannot go on; ConfigError names a wrong setting."""
        self.engine = engine
        self.session: Session | None = None
        self.num_turns = 0
        self._turns = Turns(engine.tokenizer, system)
        stop = engine.tokenizer.eos_ids
        self._request = GenerateRequest(max_tokens, stop, temperature=temperature, seed=seed)
        # An opening without room is refused now, not when somebody has typed a first text.
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

    def say(self, text: str) -> Generator[str, None, None]:
        """Answer `text` (white space around it is left out): one piece of text a step.

        A piece ends with a whole character and may be empty. Closing the iterator stops the
        answer where it is; the conversation goes on from there.
        """
        session, prompt = self._take(text)
        # The n-th draw of a seed is always the same, so every turn has a seed of its own.
        request = replace(self._request, seed=self._request.seed + self.num_turns)
        self.engine.generate(session, prompt, request)
        self.num_turns += 1
        try:
            yield from self._answer(session)
        finally:
            session.interrupt()

    def close(self) -> None:
        """Free the row. Closing twice is harmless."""
        if self.session is not None:
            self.engine.close(self.session)

    def _take(self, text: str) -> tuple[Session, list[int]]:
        """The session, and the tokens up to the answer's first."""
        if self.session is not None:
            return self.session, self._turns.next(text)
        opening, rest = self._turns.first(text)
        self.session = self.engine.open(prefix=opening)
        return self.session, rest

    def _answer(self, session: Session) -> Iterator[str]:
        detokenizer = Detokenizer(self.engine.tokenizer)
        num_decoded = 0
        while session.is_generating:
            self.engine.step()
            yield detokenizer.add(session.generated[num_decoded:])
            num_decoded = len(session.generated)
        yield detokenizer.rest()
