"""What is measured: a model of random weights on a device, and engines of many sizes around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from engine.bench.gpu.costs import Costs
from engine.bench.gpu.shapes import Shape, random_model
from engine.bench.subject import SEED, feed, random_tokens
from engine.config import EngineConfig
from engine.engine import Engine
from engine.memory.formats import format_of
from engine.model.model import StreamingModel
from engine.schedule.session import Session
from engine.schedule.window import Window

# Tokens that a stream is fed with at a time until its window is full.
FILLING_CHUNK = 512


@dataclass(frozen=True)
class Subject:
    """`rows`: how keys and values are kept, as in EngineConfig.kv_dtype."""

    name: str
    rows: str
    model: StreamingModel
    costs: Costs

    def tokens(self, num_tokens: int, seed: int = SEED) -> list[int]:
        return random_tokens(self.model, num_tokens, seed)

    def engine(
        self, window: Window, *, num_rows: int, max_chunk: int, max_step_tokens: int
    ) -> Engine:
        config = EngineConfig(
            self.name,
            num_sinks=window.num_sinks,
            num_recent=window.num_recent,
            num_rows=num_rows,
            max_chunk=max_chunk,
            max_step_tokens=max_step_tokens,
            dtype="bfloat16",
            kv_dtype=self.rows,
            device=str(self.model.device),
        )
        # Random tokens have no text.
        return Engine(config, self.model, tokenizer=None)  # type: ignore[arg-type]

    def engine_for_decoding(self, window: Window, num_streams: int) -> Engine:
        """With a row for each stream, and chunks in which one of them is filled."""
        chunk = min(FILLING_CHUNK, window.num_recent)
        step_tokens = max(chunk, num_streams)
        return self.engine(
            window, num_rows=num_streams, max_chunk=chunk, max_step_tokens=step_tokens
        )

    def full_streams(self, engine: Engine, num_streams: int) -> list[Session]:
        """Sessions whose windows have gone round: one that was fed, and copies of it."""
        first = engine.open()
        feed(engine, first, self.tokens(2 * engine.window.size), engine.config.max_chunk)
        return [first, *(engine.fork(first) for _ in range(num_streams - 1))]


@contextmanager
def open_subject(shape: Shape, rows: str, device: torch.device) -> Iterator[Subject]:
    """In bfloat16, arranged as a loaded model is. Its memory is free when nobody else has it."""
    hf = random_model(shape, torch.bfloat16, device)
    costs = Costs.of(hf)
    model = StreamingModel(hf, format_of(rows))
    model.pack()
    yield Subject(shape.name, rows, model, costs)


def paths_in_use(model: StreamingModel) -> str:
    """By which ways the model computes, in words."""
    attention = "PyTorch's products" if model.gpu_steps is None else "kernels"
    return f"{str(model.dtype).removeprefix('torch.')} on {model.device}, attention by {attention}"
