"""An engine without a model, for tests of what is around it: it counts tokens and writes words.

Its sessions, windows and schedule are the engine's own; only the arithmetic is left out, so that a
round takes a fraction of a millisecond. Each answer is a word that says how much it had seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from engine import EngineConfig, GenerateRequest, MemoryReport, Session, SnapshotError, StepReport
from engine.schedule.scheduler import Scheduler
from engine.schedule.window import Window
from engine.text.tokenizer import ChatParts

STOP = 2
ANSWER_TOKENS = 3


class PaperTokenizer:
    """A word is a token."""

    eos_ids = frozenset({STOP})
    thought = None

    def __init__(self) -> None:
        self._words = ["<user>", "<assistant>", "<stop>"]
        self._ids = {word: number for number, word in enumerate(self._words)}

    def encode(self, text: str) -> list[int]:
        return [self._id(word) for word in text.split()]

    def _id(self, word: str) -> int:
        if word not in self._ids:
            self._ids[word] = len(self._words)
            self._words.append(word)
        return self._ids[word]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self._words[number] for number in ids)

    def chat_parts(self) -> ChatParts:
        return ChatParts(prefix=(0,), suffix=(1,))


class PaperEngine:
    """As much of `engine.Engine` as the worker uses. `stepped` is called in every step."""

    def __init__(self, config: EngineConfig, stepped: Callable[[], None] = lambda: None):
        self.config = config
        self.window = config.window
        self.tokenizer = PaperTokenizer()
        self._stepped = stepped
        self._scheduler = Scheduler(config.max_chunk, config.max_step_tokens)

    def step(self) -> StepReport:
        segments = self._scheduler.plan(num_lendable=self.config.num_rows)
        self._stepped()
        for segment in segments:
            session = segment.session
            session.advance(segment.num_tokens)
            if segment.wants_logits:
                is_long = len(session.generated) >= ANSWER_TOKENS
                [word] = self.tokenizer.encode(f"seen{session.num_seen}")
                session.accept(STOP if is_long else word)
        return StepReport(num_tokens=sum(s.num_tokens for s in segments))

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def open(self, *, prefix: Sequence[int] = (), start: int = 0) -> Session:
        window = self.window.with_sinks(max(self.window.num_sinks, len(prefix)))
        session = Session(None, window, start=start)
        self._scheduler.add(session)
        session.feed(prefix)
        return session

    def feed(self, session: Session, token_ids: Sequence[int]) -> None:
        session.feed(token_ids)

    def generate(self, session: Session, prompt: Sequence[int], request: GenerateRequest) -> None:
        session.generate(prompt, request)

    def fork(self, session: Session) -> Session:
        session.require_open()
        copy = session.copy_to(None)
        self._scheduler.add(copy)
        return copy

    def close(self, session: Session) -> None:
        if not session.is_closed:
            session.is_closed = True
            self._scheduler.remove(session)

    def save(self, session: Session, path: Path) -> None:
        facts = {
            "window": asdict(session.window),
            "start": session.start,
            "length": session.length,
        }
        path.write_text(json.dumps(facts))

    def restore(self, path: Path) -> Session:
        try:
            facts = json.loads(path.read_text())
        except OSError as error:
            raise SnapshotError(f"{path} cannot be read") from error
        session = Session(None, Window(**facts["window"]), start=facts["start"])
        session.length = facts["length"]
        self._scheduler.add(session)
        return session

    def memory(self) -> MemoryReport:
        return MemoryReport(1, self.config.num_rows, 0, self.config.num_rows)
