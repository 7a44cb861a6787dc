"""What is measured: one model in one dtype, in the engine and in stock transformers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from engine.bench.run_size import CHUNK, WINDOW_RECENT, WINDOW_SINKS
from engine.bench.stock import StockModel
from engine.config import EngineConfig
from engine.engine import Engine
from engine.model.load import load_weights
from engine.model.model import StreamingModel
from engine.model.source import BUNDLED
from engine.schedule.session import Session

SEED = 20_230_929


@dataclass(frozen=True)
class Subject:
    """An engine, and a stock model made of the same weights."""

    model: str
    dtype: str
    engine: Engine
    stock: StockModel

    @property
    def name(self) -> str:
        return f"{self.model} {self.dtype}"

    @property
    def num_parameters(self) -> int:
        return sum(weight.numel() for weight in self.stock.hf.parameters())

    def tokens(self, num_tokens: int, seed: int = SEED) -> list[int]:
        return random_tokens(self.engine.model, num_tokens, seed)

    @contextmanager
    def session_of(self, num_tokens: int, start: int = 0) -> Iterator[Session]:
        """A session that has seen `num_tokens` tokens, closed in the end."""
        session = self.engine.open(start=start)
        try:
            feed(self.engine, session, self.tokens(num_tokens))
            yield session
        finally:
            self.engine.close(session)

    @contextmanager
    def fork_of(self, session: Session) -> Iterator[Session]:
        """A copy to measure with: the original keeps its age, and every copy gets the same row."""
        copy = self.engine.fork(session)
        try:
            yield copy
        finally:
            self.engine.close(copy)


def random_tokens(model: StreamingModel, num_tokens: int, seed: int = SEED) -> list[int]:
    """What a token says changes nothing about its cost."""
    return random.Random(seed).choices(range(model.vocab_size), k=num_tokens)  # noqa: S311


def feed(engine: Engine, session: Session, token_ids: Sequence[int], chunk: int = CHUNK) -> int:
    """Feed `token_ids` as they would arrive, `chunk` at a time, and compute them."""
    for start in range(0, len(token_ids), chunk):
        engine.feed(session, token_ids[start : start + chunk])
        while engine.has_work:
            engine.step()
    return len(token_ids)


@contextmanager
def open_subject(model: str, dtype: str, *, num_rows: int, num_threads: int) -> Iterator[Subject]:
    """Load `model`, or make it; ModelRefused if it cannot stream."""
    with TemporaryDirectory() as folder:
        if model == "llama-27m":
            _make_llama_27m(Path(folder))
        config = EngineConfig(
            folder if model == "llama-27m" else model,
            num_sinks=WINDOW_SINKS,
            num_recent=WINDOW_RECENT,
            num_rows=num_rows,
            max_chunk=CHUNK,
            dtype=dtype,
            num_threads=num_threads,
        )
        yield Subject(model, dtype, Engine.load(config), StockModel(load_weights(config)))


def _make_llama_27m(folder: Path) -> None:
    """27 million random weights, always the same ones, with the bundled model's tokenizer."""
    config = LlamaConfig(
        hidden_size=512,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        intermediate_size=1376,
        vocab_size=4096,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        LlamaForCausalLM(config).save_pretrained(folder)
    for file in BUNDLED.glob("tokenizer*.json"):
        shutil.copy(file, folder)
