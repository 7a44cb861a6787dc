"""Run mixtures of sessions through the engine's path and collect every token's logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION
from engine.config import EngineConfig
from engine.engine import Engine
from engine.memory.formats import format_of
from engine.model.model import StreamingModel
from engine.schedule.scheduler import Scheduler, in_batching_order
from engine.schedule.session import Session
from engine.schedule.window import Window
from tests.engine.families import VOCAB_SIZE, tiny

# Rows as they are computed, and every format that rounds them.
KV_DTYPES = (None, "bfloat16", "float16", "int8")


@cache
def streaming(
    family: str = "llama", dtype: torch.dtype = torch.float32, kv_dtype: str | None = None
) -> StreamingModel:
    return streaming_of(tiny(family, dtype), kv_dtype)


def streaming_of(hf: PreTrainedModel, kv_dtype: str | None = None) -> StreamingModel:
    set_attention(hf, IMPLEMENTATION)
    return StreamingModel(hf, format_of(kv_dtype) if kv_dtype else None)


def tokens(num_tokens: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCAB_SIZE, (num_tokens,), generator=generator).tolist()


def tiny_engine(family: str = "llama", *, kv_dtype: str | None = None, **settings: Any) -> Engine:
    defaults = {"num_sinks": 2, "num_recent": 14, "num_rows": 6, "max_chunk": 8}
    config = EngineConfig("tiny", kv_dtype=kv_dtype, **{**defaults, **settings})
    model = streaming(family, kv_dtype=kv_dtype)
    return Engine(config, model, tokenizer=None)  # type: ignore[arg-type]


def run(engine: Engine) -> None:
    while engine.has_work:
        engine.step()
        engine.check_integrity()


@dataclass
class Stream:
    """One session of a mixture: its window, its tokens, and when it joins."""

    num_sinks: int
    token_ids: list[int]
    joins_at: int = 0
    position_limit: int = 0
    num_discard: int = 1


def mixture_logits(
    model: StreamingModel,
    streams: Sequence[Stream],
    num_slots: int,
    max_chunk: int,
    max_step_tokens: int,
) -> list[Tensor]:
    """(T, vocab) of each stream; they share steps and a store as they would in an engine."""
    scheduler = Scheduler(max_chunk, max_step_tokens)
    store = model.new_store(len(streams), num_slots)
    sessions: list[Session] = []
    for row, stream in enumerate(streams):
        window = Window(stream.num_sinks, num_slots - stream.num_sinks, stream.num_discard)
        sessions.append(Session(row, window, position_limit=stream.position_limit))
        scheduler.add(sessions[-1])
    logits: dict[Session, list[Tensor]] = {session: [] for session in sessions}
    last = max(stream.joins_at for stream in streams)
    step = 0
    while scheduler.has_work or step <= last:
        for session, stream in zip(sessions, streams, strict=True):
            if stream.joins_at == step:
                session.feed(stream.token_ids)
        step += 1
        segments = in_batching_order(scheduler.plan(len(sessions)))
        if not segments:
            continue
        computed = model.compute(segments, store, all_logits=True).float()
        parts = computed.split([segment.num_tokens for segment in segments])
        for segment, part in zip(segments, parts, strict=True):
            logits[segment.session].append(part)
            segment.session.advance(segment.num_tokens)
    return [torch.cat(logits[session]) for session in sessions]
