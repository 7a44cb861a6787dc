"""The paper's own comparison: a token from the window, or by recomputing the window for it.

StreamingLLM (Xiao et al., arXiv 2309.17453), section 4.5 and Figure 10: decoding latency per token
against a sliding window with recomputation, the one baseline whose text is as good; Llama-2-7B and
-13B in Hugging Face transformers on one NVIDIA A6000, cache sizes from 256 to 4,096. Their method
grows linearly with the cache, the baseline quadratically, and at 4,096 it is up to 22.2 times as
fast. Here the shape is Llama-2-7B's, the card is the one that is there, one stream decodes, and who
recomputes does it with PyTorch's fused attention, without a cache, and with logits for the last
token only: faster than the paper's baseline could.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from engine.bench.gpu.clock import settled_time
from engine.bench.gpu.decoding import WARM_UPS, decode
from engine.bench.gpu.run_size import GpuRunSize
from engine.bench.gpu.subject import Subject
from engine.bench.interleaved import Spread, Work, run_interleaved
from engine.engine import Engine
from engine.model.model import own_attention
from engine.schedule.generation import GenerateRequest
from engine.schedule.window import Window

NUM_SINKS = 4
DECODED_PER_TURN = 8
RECOMPUTED_PER_TURN = 2
OURS, RECOMPUTED = "ours", "recomputed"


@dataclass(frozen=True)
class Recomputed:
    """Seconds that one stream's token takes either way, interleaved, and how many times ours."""

    model: str
    window: int
    our_seconds: float
    recomputed_seconds: float
    times: Spread


def measure_recomputing(subject: Subject, window_size: int, run_size: GpuRunSize) -> Recomputed:
    engine = _engine_decoding(subject, window_size, run_size)
    window = torch.tensor([subject.tokens(window_size)], device=subject.model.device)
    runs = {
        OURS: partial(_decoding, engine),
        RECOMPUTED: partial(_recomputing, subject, window),
    }
    clock = partial(settled_time, subject.model.device)
    measured = run_interleaved(runs, run_size.rounds, advance=lambda _amount: None, clock=clock)
    return Recomputed(
        subject.name,
        window_size,
        1 / measured.tokens_per_second(OURS),
        1 / measured.tokens_per_second(RECOMPUTED),
        measured.ratio(RECOMPUTED, OURS),
    )


def _engine_decoding(subject: Subject, window_size: int, run_size: GpuRunSize) -> Engine:
    """An engine whose one stream decodes for as long as it is measured."""
    engine = subject.engine_for_decoding(Window(NUM_SINKS, window_size - NUM_SINKS), 1)
    (session,) = subject.full_streams(engine, 1)
    num_tokens = WARM_UPS + DECODED_PER_TURN * (1 + run_size.rounds)
    engine.generate(session, subject.tokens(1), GenerateRequest(num_tokens))
    decode(engine, WARM_UPS)
    return engine


@contextmanager
def _decoding(engine: Engine) -> Iterator[Work]:
    yield partial(decode, engine, DECODED_PER_TURN)


@contextmanager
def _recomputing(subject: Subject, window: Tensor) -> Iterator[Work]:
    """The whole window (1, T) for every token, and the next one picked."""
    hf = subject.model.hf

    def work() -> int:
        for _ in range(RECOMPUTED_PER_TURN):
            hf(input_ids=window, use_cache=False, logits_to_keep=1).logits.argmax().item()
        return RECOMPUTED_PER_TURN

    with own_attention(hf, "sdpa"), torch.inference_mode():
        yield work
