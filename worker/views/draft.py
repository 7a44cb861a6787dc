"""An answer being written on a copy of a stream's row; the stream itself goes on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from engine import Engine, GenerateRequest, Session
from worker.views.repetition import NoRepetition


def answer(engine: Engine, max_tokens: int) -> GenerateRequest:
    """How prose is decoded: the likeliest token each time, and never in circles."""
    tokenizer = engine.tokenizer
    return GenerateRequest(
        max_tokens=max_tokens,
        stop=tokenizer.eos_ids,
        constraint=NoRepetition(tokenizer.vocab_size, tokenizer.eos_ids),
    )


class Draft:
    """One forked session, from its prompt to its text. Close it whatever becomes of it."""

    def __init__(self, engine: Engine, session: Session):
        self._engine = engine
        self._session = session

    @classmethod
    def on_copy(
        cls, engine: Engine, stream: Session, prompt: Sequence[int], request: GenerateRequest
    ) -> Draft:
        """Raises engine.NoFreeRow when every row is taken; nothing has happened then."""
        session = engine.fork(stream)
        engine.generate(session, prompt, request)
        return cls(engine, session)

    @classmethod
    def on_blank(cls, engine: Engine, prompt: Sequence[int], request: GenerateRequest) -> Draft:
        """On a row of its own that knows nothing but the prompt. Raises engine.NoFreeRow."""
        session = engine.open(prefix=engine.tokenizer.chat_parts().prefix)
        engine.generate(session, prompt, request)
        return cls(engine, session)

    @property
    def is_done(self) -> bool:
        return self._session.finish_reason is not None

    def finish(self) -> str:
        """The text written, and the row given back."""
        text = self._engine.tokenizer.decode(self._session.generated)
        self.close()
        return text

    def close(self) -> None:
        self._engine.close(self._session)
