"""Where the time of a step goes: the model's own work, and what the engine adds to it."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import AttentionInterface

from engine.attention.adapters import set_attention
from engine.attention.hook import IMPLEMENTATION, attention
from engine.bench.interleaved import Advance
from engine.bench.subject import Subject, feed

PROFILED = "weir profiled"
STEP, MODEL, ATTENTION = "weir: step", "weir: model", "weir: attention"

LINEAR = "the model's linear layers"
PRODUCTS = "attention: matrix products and softmax"
OPERATIONS = "the model's other operations (norms, rotary, activation, sums)"
MODEL_PYTHON = "Python of the model between them"
ENGINE_OPERATIONS = "the engine in attention (writes, masks, turning, copies)"
ENGINE_PYTHON = "Python of the engine in attention"
PLANNING = "the engine around the model (schedule, plan, rebase, update)"
PARTS = (
    LINEAR, PRODUCTS, OPERATIONS, MODEL_PYTHON, ENGINE_OPERATIONS, ENGINE_PYTHON, PLANNING
)  # fmt: skip
OF_THE_ENGINE = (ENGINE_OPERATIONS, ENGINE_PYTHON, PLANNING)

# The last two are what engine/weights/packing.py makes of most layers.
LINEAR_NAMES = {"aten::linear", "mkldnn::_linear_pointwise", "onednn::qlinear_pointwise"}
PRODUCT_NAMES = {
    "aten::bmm",
    "aten::baddbmm",
    "aten::baddbmm_",
    "aten::softmax",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
}


@dataclass(frozen=True)
class Anatomy:
    """A step of `num_tokens` of one session with a full window.

    shares          of the time of a step, by PARTS; they add up to 1
    costliest       of the engine's part, by operation, the largest first
    step_seconds    a step without the profiler, median; `profiled_seconds` with it
    """

    num_tokens: int
    shares: dict[str, float]
    costliest: dict[str, float]
    step_seconds: float
    profiled_seconds: float

    @property
    def engine_share(self) -> float:
        return sum(self.shares[part] for part in OF_THE_ENGINE)


def measure_anatomy(subject: Subject, num_tokens: int, num_steps: int, advance: Advance) -> Anatomy:
    with subject.session_of(2 * subject.engine.window.size) as session:

        def step() -> float:
            started = time.perf_counter()
            with record_function(STEP):
                feed(subject.engine, session, subject.tokens(num_tokens), num_tokens)
            advance(1)
            return time.perf_counter() - started

        plain = [step() for _ in range(1 + num_steps)]
        with _ranges_in(subject), profile(activities=[ProfilerActivity.CPU]) as profiler:
            profiled = [step() for _ in range(1 + num_steps)]
    events = profiler.events()
    roots = [event for event in events or () if event.name == STEP][1:]
    return Anatomy(
        num_tokens,
        *dissect_events(roots),
        step_seconds=statistics.median(plain[1:]),
        profiled_seconds=statistics.median(profiled[1:]),
    )


def dissect_events(roots: list[Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Shares by part, and the costliest operations of the engine, of the steps `roots`.

    Medians over the steps: where the machine does something else is not where the time goes.
    """
    steps = [_times_of(root) for root in roots]
    parts = _medians([parts for parts, _ in steps])
    operations = _medians([operations for _, operations in steps])
    total = sum(parts.values())
    shares = {part: parts[part] / total for part in PARTS}
    return shares, {name: time / total for name, time in operations.most_common(6) if time}


def _times_of(root: Any) -> tuple[Counter[str], Counter[str]]:
    """Of one step: time by part, and time of the engine's part by operation."""
    parts: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    for part, event in _sorted(root, PLANNING):
        parts[part] += event.self_cpu_time_total
        if part in OF_THE_ENGINE:
            operations[event.name] += event.self_cpu_time_total
    return parts, operations


def _medians(times: list[Counter[str]]) -> Counter[str]:
    names = {name for one in times for name in one}
    return Counter({name: statistics.median(one[name] for one in times) for name in names})


def _sorted(event: Any, part: str) -> Iterator[tuple[str, Any]]:
    """`event` and all within it, each with its part; `part` is that of what is around it.

    Time of a range itself, outside of any operation, is Python.
    """
    if event.name == MODEL:
        part, own = OPERATIONS, MODEL_PYTHON
    elif event.name == ATTENTION:
        part, own = ENGINE_OPERATIONS, ENGINE_PYTHON
    else:
        if event.name in LINEAR_NAMES:
            part = LINEAR
        elif part == ENGINE_OPERATIONS and event.name in PRODUCT_NAMES:
            part = PRODUCTS
        own = part
    yield own, event
    for child in event.cpu_children:
        yield from _sorted(child, part)


@contextmanager
def _ranges_in(subject: Subject) -> Iterator[None]:
    """Name the model's and the attention's time to the profiler."""
    model = subject.engine.model.hf.base_model
    ranges: list[Any] = []

    def enter(*_: object) -> None:
        ranges.append(record_function(MODEL))
        ranges[-1].__enter__()

    def leave(*_: object) -> None:
        ranges.pop().__exit__(None, None, None)

    hooks = [model.register_forward_pre_hook(enter), model.register_forward_hook(leave)]
    set_attention(subject.engine.model.hf, PROFILED)
    try:
        yield
    finally:
        set_attention(subject.engine.model.hf, IMPLEMENTATION)
        for hook in hooks:
            hook.remove()


def _profiled_attention(*tensors: Any, **options: Any) -> tuple[Tensor, None]:
    with record_function(ATTENTION):
        return attention(*tensors, **options)


AttentionInterface.register(PROFILED, _profiled_attention)
