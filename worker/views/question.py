"""Questions about a stream: asked once (`weir ask`) or again with each summary (`WEIR_PROMPTS`)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engine import Session
from worker.views.draft import Draft, Drafts, answer
from worker.views.instructions import Instructions


@dataclass(frozen=True)
class Question:
    """id: what the answer is found by (a request's id, or a prompt's name). said: lines that have
    to do with it, wherever they were said; cites: their entries."""

    id: str
    text: str
    is_rolling: bool = False
    said: str = ""
    cites: str = ""


@dataclass(frozen=True)
class Quoted:
    """An answer that needs no model: what was said about it, word for word."""

    text: str
    is_done = True

    def finish(self) -> str:
        return self.text

    def close(self) -> None:
        """It holds nothing."""


class Questions:
    """One stream's questions, answered one after the other, each on a copy of the row."""

    def __init__(
        self, drafts: Drafts, instructions: Instructions, *, max_tokens: int, in_quotes: bool
    ):
        """in_quotes: for a model that would invent. What was said of a question is its answer."""
        self._drafts = drafts
        self._in_quotes = in_quotes
        self._instructions = instructions
        self._max_tokens = max_tokens
        self._waiting: deque[Question] = deque()
        self._asked: Question | None = None
        self._current: Draft | Quoted | None = None
        self._asked_at = 0.0

    def ask(self, question: Question) -> None:
        """Asking again is harmless while the question waits, or is being answered."""
        if question not in self._waiting and question != self._asked:
            self._waiting.append(question)

    @property
    def rolling(self) -> tuple[str, ...]:
        """The prompts that still have to be answered, by name: a part of the checkpoint, so that
        each is answered once whoever owns the stream."""
        asked = [self._asked] if self._asked else []
        return tuple(question.id for question in (*asked, *self._waiting) if question.is_rolling)

    @property
    def want_a_copy(self) -> bool:
        return self._current is None and bool(self._waiting)

    @property
    def is_answering(self) -> bool:
        return self._current is not None

    @property
    def is_empty(self) -> bool:
        return self._current is None and not self._waiting

    def begin(self, session: Session, now: float) -> None:
        """Starts the first waiting question; `session` must have nothing pending.

        Raises what `Drafts.on_copy` does.
        """
        question = self._waiting[0]
        if self._in_quotes and question.said:
            self._current = Quoted(question.said)
        else:
            self._current = self._decoded(session, question)
        self._asked, self._asked_at = self._waiting.popleft(), now

    def _decoded(self, session: Session, question: Question) -> Draft:
        self._drafts.require_place()
        tokenizer = self._drafts.engine.tokenizer
        wording = self._instructions.asking(question.text, question.said)
        prompt = tokenizer.encode(f"\n\n{wording}") + list(tokenizer.chat_parts().suffix)
        return self._drafts.on_copy(session, prompt, answer(self._drafts.engine, self._max_tokens))

    def finish(self, now: float) -> tuple[Question, dict[str, str]] | None:
        """The question that has just been answered, with its output fields; None if none has. One
        whose answer was lost on the way is asked again."""
        draft, question = self._current, self._asked
        if draft is None or question is None or not draft.is_done:
            return None
        self._current = self._asked = None
        text = draft.finish()
        if text is None:
            self.ask(question)
            return None
        fields = {
            "id": question.id,
            "question": question.text,
            "text": text.strip(),
            "cites": question.cites,
            "seconds": f"{now - self._asked_at:.3f}",
        }
        return question, fields

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
        self._current = None
