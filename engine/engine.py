"""The engine: many sessions, one model, one batched forward pass a step, level memory.

Start reading at `step`. Everything else opens, feeds, copies and closes sessions.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from operator import index
from pathlib import Path

import torch
from torch import Tensor

from engine.config import EngineConfig
from engine.errors import ConfigError, EngineError, NoFreeRow
from engine.model.load import load
from engine.model.model import StreamingModel
from engine.model.sampler import sample
from engine.model.source import source_of
from engine.parking import snapshot
from engine.parking.parked_copies import ParkedCopies
from engine.parking.parking import Parking
from engine.schedule.generation import GenerateRequest
from engine.schedule.row_assignment import RowAssignment
from engine.schedule.scheduler import Scheduler, Segment, in_batching_order
from engine.schedule.session import Session
from engine.schedule.window import Window
from engine.stats import MemoryReport, StepReport, Tally
from engine.text.tokenizer import Tokenizer


class Engine:
    """One model and one fixed store of rows, which are lent to sessions.

    With as many sessions as rows, or fewer, each keeps its row from open to close. Beyond that,
    those that are idle are parked, and come back when they have tokens to compute.
    """

    def __init__(self, config: EngineConfig, model: StreamingModel, tokenizer: Tokenizer) -> None:
        self.config = config
        self.model = model
        self.tokenizer = tokenizer
        self.window = config.window
        self._scheduler = Scheduler(config.max_chunk, config.max_step_tokens)
        self._tally = Tally()
        self._assignment = RowAssignment(config.num_rows)
        self._store = model.new_store(config.num_rows, self.window.size)
        self._copies = ParkedCopies(model, self._tally, config.park_dir, config.park_host_bytes)
        self._parking = Parking(self._assignment, self._store, self._copies, self._tally)

    @classmethod
    def load(cls, config: EngineConfig) -> Engine:
        """ModelRefused says why a model cannot stream or could not be loaded."""
        if config.num_threads is not None:
            torch.set_num_threads(config.num_threads)
        model = load(config)
        tokenizer = Tokenizer.load(
            source_of(config),
            model.eos_ids,
            template=config.chat_template,
            thought_tokens=config.thought_tokens,
        )
        return cls(config, model, tokenizer)

    def step(self) -> StepReport:
        """Compute the next tokens of every session that has some, and sample where wanted."""
        started = time.perf_counter()
        segments = self._assign_rows(self._scheduler.plan(self._assignment.num_lendable))
        if not segments:
            return self._report((), [], 0, started)
        logits = self.model.compute(segments, self._store)
        num_slid_out = self._advance(segments)
        sampled = self._sample(segments, logits)
        return self._report(segments, sampled, num_slid_out, started)

    def _assign_rows(self, segments: Sequence[Segment]) -> list[Segment]:
        """Everybody in the step has a row; whoever turned out to be lost is not in it."""
        self._parking.bring_in([segment.session for segment in segments])
        return in_batching_order([s for s in segments if not s.session.is_lost])

    def _advance(self, segments: Sequence[Segment]) -> int:
        """How many tokens slid out."""
        sessions = [segment.session for segment in segments]
        before = sum(session.num_slid_out for session in sessions)
        for segment in segments:
            segment.session.advance(segment.num_tokens)
        return sum(session.num_slid_out for session in sessions) - before

    def _sample(self, segments: Sequence[Segment], logits: Tensor) -> list[Session]:
        sessions = [segment.session for segment in segments if segment.wants_logits]
        generations = [session.generation for session in sessions if session.generation]
        for session, token_id in zip(sessions, sample(logits, generations), strict=True):
            session.accept(token_id)
        return sessions

    def _report(
        self,
        segments: Sequence[Segment],
        sampled: Sequence[Session],
        num_slid_out: int,
        started: float,
    ) -> StepReport:
        """An empty step takes no time, but sessions may have been moved, or lost, before it."""
        moves, losses = self._tally.take()
        return StepReport(
            num_tokens=sum(segment.num_tokens for segment in segments),
            num_sessions=len(segments),
            num_generated=len(sampled),
            seconds=time.perf_counter() - started if segments else 0.0,
            finished=tuple(session for session in sampled if not session.is_generating),
            num_slid_out=num_slid_out,
            moves=moves,
            losses=losses,
        )

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    @property
    def num_free_rows(self) -> int:
        return self._assignment.num_free

    def open(self, *, prefix: Sequence[int] = (), start: int = 0) -> Session:
        """A new session, fed with `prefix`, all of which stays visible for ever.

        The row is the same for a longer prefix than num_sinks: there is less room for recent
        tokens. `start` is the number of the first token in the session's counters. NoFreeRow.
        """
        tokens = self._known(prefix)
        window = self._window_for(tokens)
        limit = self.model.position_limit(window)
        self._require_place()
        session = Session(None, window, start=start, position_limit=limit)
        self._parking.admit(session)
        self._scheduler.add(session)
        session.feed(tokens)
        return session

    def _require_place(self) -> None:
        most = self.config.max_sessions
        if self._scheduler.num_sessions >= most:
            setting = "num_rows" if self.config.num_sessions is None else "num_sessions"
            raise NoFreeRow(f"All {most} sessions are open: close one, or set {setting} higher.")

    def _window_for(self, prefix: Sequence[int]) -> Window:
        num_sinks = max(self.window.num_sinks, len(prefix))
        if num_sinks >= self.window.size:
            raise ConfigError(
                f"A prefix of {len(prefix)} tokens leaves no room in a window of "
                f"{self.window.size}: set num_recent higher."
            )
        return self.window.with_sinks(num_sinks)

    def feed(self, session: Session, token_ids: Sequence[int]) -> None:
        """Accept tokens; later steps compute them. EngineError: there is no such token."""
        self._require_own(session)
        session.feed(self._known(token_ids))

    def generate(self, session: Session, prompt: Sequence[int], request: GenerateRequest) -> None:
        """Feed `prompt`, then decode. The last token of the output stays pending, like any fed."""
        self._require_own(session)
        session.generate(self._known(prompt), request)

    def _require_own(self, session: Session) -> None:
        """A session of another engine would never be computed here, and has another's row."""
        if not session.is_closed and session not in self._scheduler:
            raise EngineError("The session belongs to another engine.")

    def _known(self, token_ids: Iterable[int]) -> list[int]:
        """An unknown token would fail the step of all sessions, and on a GPU end the process."""
        tokens = [index(token_id) for token_id in token_ids]
        for token in tokens:
            if not 0 <= token < self.model.vocab_size:
                raise EngineError(f"{token} is none of the model's {self.model.vocab_size} tokens.")
        return tokens

    def fork(self, session: Session) -> Session:
        """A copy of what has been computed so far, without the pending tokens.

        NoFreeRow; SessionLost if it is parked and cannot be read.
        """
        self._require_own(session)
        session.require_open()
        self._require_place()
        copy = session.copy_to(None)
        self._parking.admit_copy(copy, session)
        self._scheduler.add(copy)
        return copy

    def close(self, session: Session) -> None:
        """Forget the session: its row is free, its parked copy gone. Closing twice is harmless."""
        if session.is_closed:
            return
        self._require_own(session)
        session.is_closed = True
        self._scheduler.remove(session)
        self._parking.dismiss(session)

    def save(self, session: Session, path: str | Path) -> None:
        """Write all that is needed to continue `session`; it must have nothing pending.

        Raises OSError; SessionLost if it is parked and cannot be read.
        """
        self._require_own(session)
        snapshot.require_complete(session)
        snapshot.save(session, self._parking.tensors_of(session), self.model, Path(path))

    def restore(self, path: str | Path) -> Session:
        """Open the session saved at `path`. SnapshotError names the reason; NoFreeRow."""
        self._require_place()
        saved = snapshot.load(Path(path), self.model, self.window)
        session = saved.session(self.model.position_limit(saved.window))
        self._parking.admit(session, saved.tensors)
        self._scheduler.add(session)
        return session

    def memory(self) -> MemoryReport:
        return MemoryReport(
            bytes_per_row=self._store.bytes_per_row,
            kv_bytes_total=self._store.num_bytes,
            rows_in_use=self.config.num_rows - self._assignment.num_free,
            rows_free=self._assignment.num_free,
            parked_in_host=self._copies.num_in_host,
            parked_on_disk=self._copies.num_on_disk,
            host_bytes=self._copies.host_bytes,
            disk_bytes=self._copies.disk_bytes,
        )

    def check_integrity(self) -> None:
        """AssertionError unless every session is in exactly one place: its row, or parked."""
        self._parking.check_integrity(self._scheduler.sessions)
