"""What number formats cost and gain: bytes, speed and perplexity of one model in each of them.

All models are in memory at once and run interleaved, so that a machine that slows down slows all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from engine.bench.interleaved import Advance, InterleavedRuns, Run, Work, run_interleaved
from engine.bench.progress import stage
from engine.bench.subject import feed
from engine.config import MODELS_DIR, EngineConfig
from engine.engine import Engine
from engine.errors import ConfigError, ModelRefused
from engine.evals.reading import Mean, losses_of
from engine.evals.texts import CHUNK, Texts
from engine.model.lone_stream import LoneStream
from engine.schedule.generation import GenerateRequest
from engine.schedule.session import Session

# float16 is no row: CPUs that compute in it at all are ten times slower than in float32.
FORMATS: Mapping[str, Mapping[str, str]] = {
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "KV bfloat16": {"kv_dtype": "bfloat16"},
    "KV float16": {"kv_dtype": "float16"},
    "KV int8": {"kv_dtype": "int8"},
    "weights int8": {"weight_dtype": "int8"},
    "weights int8, computing too": {"weight_dtype": "int8", "compute_dtype": "int8"},
    "weights int4": {"weight_dtype": "int4"},
    "KV, weights int8": {"kv_dtype": "int8", "weight_dtype": "int8"},
    "bfloat16, weights int4": {"dtype": "bfloat16", "weight_dtype": "int4"},
    "bfloat16, both int8": {"dtype": "bfloat16", "kv_dtype": "int8", "weight_dtype": "int8"},
    "all int8": {"kv_dtype": "int8", "weight_dtype": "int8", "compute_dtype": "int8"},
}
# A session to feed, and a fork of it that decodes.
NUM_ROWS = 2


@dataclass(frozen=True)
class Trial:
    """Of what is measured, how much: tokens of the text, and of a run in each of `rounds`."""

    model: str
    device: str
    texts: Texts
    max_tokens: int = 4096
    models_dir: Path = MODELS_DIR
    num_sinks: int = 4
    num_recent: int = 252
    rounds: int = 5
    fed_per_turn: int = 2 * CHUNK
    decoded_per_turn: int = 32

    def __post_init__(self) -> None:
        if self.max_tokens < 2:
            raise ConfigError(f"max_tokens={self.max_tokens} is not valid: use 2 or more.")

    def config(self, formats: Mapping[str, str]) -> EngineConfig:
        """float32 where `formats` says nothing."""
        plain = EngineConfig(
            self.model,
            num_sinks=self.num_sinks,
            num_recent=self.num_recent,
            num_rows=NUM_ROWS,
            max_chunk=CHUNK,
            device=self.device,
            models_dir=self.models_dir,
        )
        return replace(plain, **formats)  # type: ignore[arg-type]  # all of them are text


@dataclass(frozen=True)
class Figures:
    """Of one format. `num_tokens` of the text have a loss: all but the first."""

    weight_bytes: int
    bytes_per_row: int
    fed_per_second: float
    decoded_per_second: float
    loss: float
    num_tokens: int

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss)

    def bytes_of(self, num_streams: int) -> int:
        """Weights and rows."""
        return self.weight_bytes + num_streams * self.bytes_per_row


@dataclass(frozen=True)
class Comparison:
    """By name of the format: its figures, or why it cannot be had here."""

    figures: Mapping[str, Figures]
    left_out: Mapping[str, str]


def run(trial: Trial) -> Comparison:
    """ConfigError and ModelRefused name what is wrong for all formats: a file, say."""
    trial.texts.check()
    with stage("loading", len(FORMATS)) as advance:
        engines, left_out = _load(trial, advance)
    with stage("perplexity", trial.max_tokens - 1) as advance:
        means = _read(trial, engines, advance)
    fed = _measured(trial, engines, "feeding", _feeding)
    decoded = _measured(trial, engines, "decoding", _decoding)
    figures = {
        name: Figures(
            weight_bytes=engine.model.weight_bytes,
            bytes_per_row=engine.memory().bytes_per_row,
            fed_per_second=fed.tokens_per_second(name),
            decoded_per_second=decoded.tokens_per_second(name),
            loss=means[name].loss,
            num_tokens=means[name].count,
        )
        for name, engine in engines.items()
    }
    return Comparison(figures, left_out)


def _load(trial: Trial, advance: Advance) -> tuple[dict[str, Engine], dict[str, str]]:
    engines: dict[str, Engine] = {}
    left_out: dict[str, str] = {}
    for name, formats in FORMATS.items():
        try:
            engines[name] = Engine.load(trial.config(formats))
        except (ConfigError, ModelRefused) as reason:
            if not engines:  # the first has no needs of its own
                raise
            left_out[name] = str(reason)
        advance(1)
    return engines, left_out


def _read(trial: Trial, engines: Mapping[str, Engine], advance: Advance) -> dict[str, Mean]:
    streams = {name: LoneStream(engine.model, engine.window) for name, engine in engines.items()}
    means = {name: Mean() for name in engines}
    tokenizer = next(iter(engines.values())).tokenizer
    for chunk in trial.texts.chunks(tokenizer, trial.max_tokens):
        for name, stream in streams.items():
            means[name].add(losses_of(stream.feed(chunk.inputs), chunk.targets))
        advance(len(chunk.inputs))
    return means


def _measured(
    trial: Trial,
    engines: Mapping[str, Engine],
    name: str,
    run: Callable[[Trial, Engine, Session], AbstractContextManager[Work]],
) -> InterleavedRuns:
    """Interleaved runs of sessions whose windows are full, for feeding and decoding that last."""
    sessions = {engine: engine.open() for engine in engines.values()}
    for engine, session in sessions.items():
        feed(engine, session, _tokens(engine, 2 * engine.window.size))
    runs: dict[str, Run] = {
        format_name: partial(run, trial, engine, sessions[engine])
        for format_name, engine in engines.items()
    }
    with stage(name, trial.rounds) as advance:
        measured = run_interleaved(runs, trial.rounds, advance=advance)
    for engine, session in sessions.items():
        engine.close(session)
    return measured


@contextmanager
def _feeding(trial: Trial, engine: Engine, session: Session) -> Iterator[Work]:
    token_ids = _tokens(engine, trial.fed_per_turn)
    yield lambda: feed(engine, session, token_ids)


@contextmanager
def _decoding(trial: Trial, engine: Engine, session: Session) -> Iterator[Work]:
    fork = engine.fork(session)
    engine.generate(fork, _tokens(engine, 1), GenerateRequest(trial.decoded_per_turn))
    yield partial(_decode, engine)
    engine.close(fork)


def _decode(engine: Engine) -> int:
    num_generated = 0
    while engine.has_work:
        num_generated += engine.step().num_generated
    return num_generated


def _tokens(engine: Engine, num_tokens: int) -> list[int]:
    """What they say changes nothing about their cost."""
    return [(7 * i + 3) % engine.model.vocab_size for i in range(num_tokens)]
