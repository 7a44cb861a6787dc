"""Whatever is asked of an engine, in whatever order: every token's logits are the definition's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch import Tensor

from engine.config import EngineConfig
from engine.engine import Engine
from engine.errors import ConfigError, NoFreeRow
from engine.schedule.generation import GenerateRequest, Sampling
from engine.schedule.scheduler import Segment
from engine.schedule.session import Session
from tests.engine.families import tiny
from tests.engine.reference import reference_logits
from tests.engine.streams import run, streaming, tiny_engine, tokens

FAMILIES = ["llama", "gemma2", "cohere", "gptj", "mpt"]


@dataclass
class Account:
    """What a session was told, from its first token on, and the logits that were computed here."""

    text: list[int]
    first: int = 0
    logits: list[Tensor] = field(default_factory=list)
    num_generated: int = 0


class Overheard:
    """A model that computes the logits of every token and tells them."""

    def __init__(self, family: str, accounts: dict[Session, Account]) -> None:
        self._model = streaming(family)
        self._accounts = accounts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def compute(self, segments: list[Segment], store: Any) -> Tensor:
        logits = self._model.compute(segments, store, all_logits=True)
        parts = logits.split([segment.num_tokens for segment in segments])
        for segment, part in zip(segments, parts, strict=True):
            self._accounts[segment.session].logits.append(part.float())
        wanted = [part[-1:] for s, part in zip(segments, parts, strict=True) if s.wants_logits]
        return torch.cat(wanted) if wanted else logits[:0]


class Operations(RuleBasedStateMachine):
    @initialize(
        family=st.sampled_from(FAMILIES),
        num_sinks=st.integers(0, 5),
        num_recent=st.sampled_from([1, 2, 5, 12]),
        discards_half=st.booleans(),
        num_rows=st.integers(2, 4),
        num_waiting=st.integers(0, 3),
        max_chunk=st.sampled_from([1, 3, 8, 40]),
        park_host_bytes=st.sampled_from([0, 5_000, 2**30]),
    )
    def start(
        self,
        family: str,
        num_sinks: int,
        num_recent: int,
        discards_half: bool,
        num_rows: int,
        num_waiting: int,
        max_chunk: int,
        park_host_bytes: int,
    ) -> None:
        self.family = family
        self.folder = Path(mkdtemp())
        self.accounts: dict[Session, Account] = {}
        config = EngineConfig(
            "tiny",
            num_sinks=num_sinks,
            num_recent=num_recent,
            num_discard=-1 if discards_half and num_recent > 1 else 1,
            num_rows=num_rows,
            num_sessions=num_rows + num_waiting,
            max_chunk=max_chunk,
            max_step_tokens=max(num_rows, 2 * max_chunk),
            park_dir=self.folder,
            park_host_bytes=park_host_bytes,
        )
        self.engine = Engine(config, Overheard(family, self.accounts), tokenizer=None)  # type: ignore[arg-type]

    @property
    def open_sessions(self) -> list[Session]:
        return [session for session in self.accounts if not session.is_closed]

    def some_session(self, data: st.DataObject) -> Session:
        return data.draw(st.sampled_from(self.open_sessions))

    @rule(num_tokens=st.integers(0, 7), seed=st.integers(0, 9))
    def open(self, num_tokens: int, seed: int) -> None:
        prefix = tokens(num_tokens, seed)
        with suppress(NoFreeRow, ConfigError):
            self.accounts[self.engine.open(prefix=prefix)] = Account(prefix)

    @precondition(lambda self: self.open_sessions)
    @rule(data=st.data(), num_tokens=st.sampled_from([1, 8, 30, 60, 0]), seed=st.integers(0, 9))
    def feed(self, data: st.DataObject, num_tokens: int, seed: int) -> None:
        session = self.some_session(data)
        if not session.is_generating:
            self.engine.feed(session, tokens(num_tokens, seed))
            self.accounts[session].text += tokens(num_tokens, seed)

    @precondition(lambda self: self.open_sessions)
    @rule(data=st.data(), max_tokens=st.integers(1, 9), temperature=st.sampled_from([0.0, 2.0]))
    def generate(self, data: st.DataObject, max_tokens: int, temperature: float) -> None:
        session = self.some_session(data)
        if not session.is_generating:
            request = GenerateRequest(max_tokens, sampling=Sampling(temperature=temperature))
            self.engine.generate(session, tokens(2), request)
            self.accounts[session].text += tokens(2)
            self.accounts[session].num_generated = 0

    @rule()
    def step(self) -> None:
        self.engine.step()
        self.note_what_was_generated()

    @rule()
    def step_until_all_is_done(self) -> None:
        while self.engine.has_work:
            self.step()

    def note_what_was_generated(self) -> None:
        for session, account in self.accounts.items():
            account.text += session.generated[account.num_generated :]
            account.num_generated = len(session.generated)

    @precondition(lambda self: self.open_sessions)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        session = self.some_session(data)
        with suppress(NoFreeRow):
            known = self.accounts[session].text[: session.length]
            self.accounts[self.engine.fork(session)] = Account(known, first=session.length)

    @precondition(lambda self: self.open_sessions)
    @rule(data=st.data())
    def save_and_restore(self, data: st.DataObject) -> None:
        session = self.some_session(data)
        if session.num_pending == 0 and not session.is_generating:
            self.engine.save(session, self.folder / "saved")
            with suppress(NoFreeRow):
                known = list(self.accounts[session].text)
                restored = self.engine.restore(self.folder / "saved")
                self.accounts[restored] = Account(known, first=session.length)

    @precondition(lambda self: len(self.open_sessions) > 2)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.engine.close(self.some_session(data))

    @invariant()
    def everybody_is_in_one_place(self) -> None:
        self.engine.check_integrity()

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        self.step_until_all_is_done()
        rmtree(self.folder)
        for session, account in self.accounts.items():
            self.compare(session, account)

    def compare(self, session: Session, account: Account) -> None:
        window, text = session.window, account.text[: session.length]
        if account.logits:
            shape = (window.num_sinks, window.num_recent, window.num_discard)
            expected = reference_logits(tiny(self.family), text, *shape)[account.first :]
            actual = torch.cat(account.logits)
            torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


TestOperations = Operations.TestCase
TestOperations.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_session_without_tokens_may_be_restored_when_no_row_is_free() -> None:
    """It has no copy to be parked; its row comes with its first token."""
    engine = tiny_engine(num_rows=1, num_sessions=2)
    session = engine.open()
    with TemporaryDirectory() as folder:
        engine.save(session, f"{folder}/empty")
        restored = engine.restore(f"{folder}/empty")
    engine.check_integrity()
    engine.feed(restored, tokens(20))
    run(engine)
    assert restored.num_computed == 20
