"""Thousands of sessions on few rows, beside the same sessions with a row each: the engine alone.

    python -m tests.bench.parked_sessions --sessions 2000 --rows 16

Text comes at random, to one session and then another; in the end every session is asked to go on.
Both engines must say the same. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import Engine, EngineConfig, GenerateRequest, Session, StepReport
from engine.model.load import load
from engine.model.source import source_of
from engine.stats import MOVES, Moves
from engine.text.tokenizer import Tokenizer

NUM_RECENT = 60
NUM_ANSWER = 6
ARRIVALS_A_STEP = 8


@dataclass(frozen=True)
class Text:
    """What comes to which session, in order."""

    num_sessions: int
    num_arrivals: int
    vocab_size: int

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        chance = random.Random(1)
        for _ in range(self.num_arrivals):
            length = chance.randint(5, 40)
            tokens = [chance.randrange(10, self.vocab_size) for _ in range(length)]
            yield chance.randrange(self.num_sessions), tokens


@dataclass(frozen=True)
class Outcome:
    """One engine's answers, and what they took."""

    answers: list[list[int]]
    seconds: float
    steps: int
    kv_bytes: int
    host_bytes: int
    disk_bytes: int
    moves: dict[str, Moves]


class Run:
    """One engine, and what its steps reported."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.num_steps = 0
        self.moves = dict.fromkeys(MOVES, Moves())

    def step(self) -> StepReport:
        report = self.engine.step()
        assert report.losses == ()
        self.num_steps += 1
        for move, moved in report.moves.items():
            before = self.moves[move]
            total = before.num_sessions + moved.num_sessions
            self.moves[move] = Moves(total, before.seconds + moved.seconds)
        return report

    def finish(self) -> None:
        while self.engine.has_work:
            self.step()

    def read(self, text: Text) -> Outcome:
        started = time.perf_counter()
        sessions = [self.engine.open() for _ in range(text.num_sessions)]
        for number, (which, tokens) in enumerate(text):
            self.engine.feed(sessions[which], tokens)
            if number % ARRIVALS_A_STEP == 0:
                self.step()
        self.finish()
        memory = self.engine.memory()
        answers = [answer for some in _eights(sessions) for answer in self._answers(some)]
        self.engine.check_integrity()
        return Outcome(
            answers=answers,
            seconds=time.perf_counter() - started,
            steps=self.num_steps,
            kv_bytes=memory.kv_bytes_total,
            host_bytes=memory.host_bytes,
            disk_bytes=memory.disk_bytes,
            moves={**self.moves},
        )

    def _answers(self, sessions: Sequence[Session]) -> list[list[int]]:
        forks = [self.engine.fork(session) for session in sessions]
        for fork in forks:
            self.engine.generate(fork, [11, 12], GenerateRequest(max_tokens=NUM_ANSWER))
        self.finish()
        for fork in forks:
            self.engine.close(fork)
        return [fork.generated for fork in forks]


def _eights(sessions: Sequence[Session]) -> Iterator[Sequence[Session]]:
    for start in range(0, len(sessions), 8):
        yield sessions[start : start + 8]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--arrivals", type=int, default=6000)
    parser.add_argument("--host-mib", type=int, default=64)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        few, plenty = compare(
            given.sessions, given.rows, given.arrivals, given.host_mib * 2**20, Path(folder)
        )
    num_equal = sum(map(list.__eq__, few.answers, plenty.answers))
    for name, outcome in ((f"{given.rows} rows", few), (f"{given.sessions} rows", plenty)):
        print(
            f"{name:10} {outcome.seconds:8.1f} s  {outcome.steps:6,} steps"
            f"  KV {outcome.kv_bytes:,} B"
            f"  host {outcome.host_bytes:,} B  disk {outcome.disk_bytes:,} B"
        )
    for move, moved in few.moves.items():
        each = 1000 * moved.seconds / max(1, moved.num_sessions)
        share = moved.seconds / few.seconds
        print(f"{move:6} {moved.num_sessions:8,} {each:8.2f} ms each {share:6.1%} of the time")
    print(f"equal answers: {num_equal:,} of {given.sessions:,}")
    figures = {k: v for k, v in asdict(few).items() if k != "answers"}
    print(json.dumps(figures | {"equal": num_equal, "seconds_with_rows": plenty.seconds}))
    return 0 if num_equal == given.sessions else 1


def compare(
    num_sessions: int, num_rows: int, num_arrivals: int, host_bytes: int, folder: Path
) -> tuple[Outcome, Outcome]:
    """With few rows, and with one for each session and for eight answers."""
    config = EngineConfig(
        "bundled",
        num_recent=NUM_RECENT,
        num_rows=num_rows,
        num_sessions=num_sessions + 8,
        park_dir=folder,
        park_host_bytes=host_bytes,
        max_step_tokens=max(1024, num_sessions + 8),
    )
    model, tokenizer = load(config), Tokenizer.load(source_of(config))
    text = Text(num_sessions, num_arrivals, model.vocab_size)
    few = Run(Engine(config, model, tokenizer)).read(text)
    rows = EngineConfig(
        "bundled",
        num_recent=NUM_RECENT,
        num_rows=num_sessions + 8,
        max_step_tokens=config.max_step_tokens,
    )
    return few, Run(Engine(rows, model, tokenizer)).read(text)


if __name__ == "__main__":
    sys.exit(main())
