"""Answers being written, each on a row that is thrown away; the streams go on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from engine import Engine, GenerateRequest, NoFreeRow, Session
from worker.views.repetition import NoRepetition


def answer(engine: Engine, max_tokens: int) -> GenerateRequest:
    """How prose is decoded: the likeliest token each time, and never in circles."""
    tokenizer = engine.tokenizer
    return GenerateRequest(
        max_tokens=max_tokens,
        stop=tokenizer.eos_ids,
        constraint=NoRepetition(tokenizer.eos_ids),
        thought=tokenizer.thought,
    )


class Drafts:
    """All that is being written on one engine, at most `num_places` at a time.

    Half of the rows: whoever decodes keeps its row until it has finished, and the other half is
    for the streams to be read in meanwhile.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.num_places = max(1, engine.config.num_rows // 2)
        self._num_open = 0

    def on_copy(self, stream: Session, prompt: Sequence[int], request: GenerateRequest) -> Draft:
        """Raises engine.NoFreeRow if all places are taken, engine.SessionLost if `stream` is lost;
        nothing has happened then."""
        self.require_place()
        return self._begin(self.engine.fork(stream), prompt, request)

    def on_blank(self, prompt: Sequence[int], request: GenerateRequest) -> Draft:
        """On a row of its own that knows nothing but the prompt. Raises engine.NoFreeRow."""
        self.require_place()
        opening = self.engine.tokenizer.chat_parts().prefix
        return self._begin(self.engine.open(prefix=opening), prompt, request)

    def require_place(self) -> None:
        """Raises engine.NoFreeRow. Ask before a prompt is made that nobody could answer now."""
        if self._num_open >= self.num_places:
            raise NoFreeRow(f"All {self.num_places} places to write are taken: wait for one.")

    def _begin(self, session: Session, prompt: Sequence[int], request: GenerateRequest) -> Draft:
        self.engine.generate(session, prompt, request)
        self._num_open += 1
        return Draft(self, session)

    def close(self, session: Session) -> None:
        if not session.is_closed:
            self.engine.close(session)
            self._num_open -= 1


class Draft:
    """One answer, from its prompt to its text. Close it whatever becomes of it."""

    def __init__(self, drafts: Drafts, session: Session):
        self._drafts = drafts
        self._session = session

    @property
    def is_done(self) -> bool:
        return self._session.finish_reason is not None

    def finish(self) -> str | None:
        """The text written, and the row given back; None if it was lost and must be begun anew."""
        text = self._drafts.engine.tokenizer.decode(self._session.generated)
        self.close()
        return None if self._session.is_lost else text

    def close(self) -> None:
        self._drafts.close(self._session)


class Written:
    """An answer that is there at once and needs no row: see `Draft`."""

    is_done = True

    def __init__(self, text: str):
        self._text = text

    def finish(self) -> str:
        return self._text

    def close(self) -> None:
        """It holds nothing."""
